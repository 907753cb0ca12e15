/** Every sentence of the command line, in English; words-fr.ts says what each is for. */

import { hitRate } from './hit-rate.ts'
import { fleetEnglish } from './fleet/words-en.ts'
import type { Words } from './words-fr.ts'

const number = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 })
const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const

function bytes (value: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)))
  return `${number.format(value / 1000 ** power)} ${UNITS[power]}`
}

function milliseconds (value: number): string {
  return value < 10_000 ? `${number.format(value)} ms` : `${number.format(value / 1000)} s`
}

const moment = new Intl.DateTimeFormat('en-GB', { dateStyle: 'short', timeStyle: 'short' })

const PACS_CHOICE = `  --config=FILE             settings of the box (default /var/lib/drimbox/config.json)
  --pacs=TITLE@host:port    the PACS, without a settings file (default port 104)
  --title=TITLE             our AE title (default that of the settings, else DRIMBOX)
  --port=PORT               our DICOM port (default that of the settings, else 11112)`
const BOX_CHOICE = `  --config=FILE      settings of the box, which name its socket (default /var/lib/drimbox/config.json)
  --socket=PATH      admin socket of the box
  --json             answer for a program`
const COMMON = `  --lang=fr|en              language (default that of the environment, else French)
  --help                    this help`
const EXITS = 'Exit codes: 0 done, 1 failed, 2 wrong command line.'

export const english: Words = {
  language: 'en',
  colon: ': ',
  yes: 'yes',
  no: 'no',
  unlimited: 'unlimited',
  bytes,
  milliseconds,
  perSecond: text => `${text}/s`,

  usage: {
    unknownVerb: name => `drimbox: unknown command "${name}"`,
    unknownOption: name => `Unknown option: ${name}`,
    needsValue: name => `Option ${name} needs a value.`,
    noValue: name => `Option ${name} takes no value.`,
    missingArgument: 'An argument is missing.',
    extraArgument: text => `One argument too many: ${text}`,
    oneOf: (name, choices) => `${name}: possible values ${choices.join(', ')}`,
    between: (name, min, max) => `${name}: whole number from ${min} to ${max}`,
    notBoth: (one, other) => `${one} and ${other} exclude each other.`,
    pacsForm: text => `--pacs=${text}: expected TITLE@host:port, for example ORTHANC@10.0.0.5:4242`,
    unknownKey: name => `"${name}" is no DICOM attribute; examples: PatientName=LEF*, StudyDate=20250101-`,
    levelNeeds: (level, key) => `--level=${level} needs the key ${key}`,
    seeHelp: verb => `Help: drimbox ${verb} --help`
  },

  help: {
    drimbox: `drimbox: the command line of the DRIMbox

  drimbox pair      proves the PACS end to end and names the setting that is missing
  drimbox echo      does the PACS answer? (C-ECHO)
  drimbox find      queries the PACS (C-FIND)
  drimbox get       brings a study as DICOM files (C-MOVE or C-GET)
  drimbox bench     measures the site's PACS (latency, throughput) with one study
  drimbox status    how the running box is doing
  drimbox cache     what the box has cached, and how to purge it
  drimbox drain     no new requests, those under way end
  drimbox fleet     the fleet server: releases, devices, deployments

Help of a command: drimbox COMMAND --help (--lang=fr pour le français)
${EXITS}`,
    echo: `drimbox echo: does the PACS answer? (C-ECHO)

${PACS_CHOICE}
  --json                    answer for a program
${COMMON}

${EXITS}`,
    find: `drimbox find [Attribute=value…]: queries the PACS (C-FIND)

  drimbox find 'PatientName=LEF*' StudyDate=20250101-20250331
  drimbox find --level=series StudyInstanceUID=1.2.3

An attribute is named by its keyword or its tag (00100010); without a value it adds a column.

  --level=study|series|image   level of the query (default study)
  --limit=N                    number of answers after which the PACS is told to stop (default 100)
  --json                       DICOM JSON
${PACS_CHOICE}
${COMMON}

${EXITS}`,
    get: `drimbox get STUDY [SERIES]: brings DICOM files (Part 10) and counts them

  --method=move|get         C-MOVE to our AE title, or C-GET (default as the settings say)
  --into=FOLDER             where to write (default a folder named as the study's UID)
  --json                    answer for a program
${PACS_CHOICE}
${COMMON}

C-MOVE listens on our port, which the box must not hold meanwhile; C-GET doesn't need it.
${EXITS}`,
    pair: `drimbox pair: proves the PACS end to end

Name resolution, TCP, association, C-ECHO, C-FIND, C-MOVE of a small object to us, C-GET. Names the exact setting
that is missing, and writes the sheet for the PACS vendor. Nothing that names a patient is shown.

  --sheet=FILE              writes the whole sheet to a file (else it is printed, shortened)
  --json                    answer for a program
${PACS_CHOICE}
${COMMON}

If the box is running, it is asked for the object over DICOMweb; else this command listens on our port itself.
${EXITS}`,
    bench: `drimbox bench pacs [STUDY]: measures the site's PACS with a single study

Time to the first image, bytes, throughput, images per second, by the number of associations; then the national
measures by name. Says first what it will do. Nothing is kept, nothing that names a patient is asked for or shown.
Without STUDY: the smallest recent study of at least 50 images. The first pass reads the PACS's storage, later ones
perhaps its memory.

  --method=move|get         C-MOVE to our AE title, or C-GET (default as in the settings)
  --associations=N          at most so many associations at once (default, and at most, those of the settings)
  --instances=N             no study of more than N images (default 2000)
  --seconds=N               each pass is ended after N seconds (default 120)
  --box=URL                 measures the box as well, by its DICOMweb root (default that of the settings, if it runs)
  --dry-run                 says what would be done, and does nothing
  --json                    answer for a program
${PACS_CHOICE}
${COMMON}

C-MOVE listens on our port: the box must not hold it; C-GET doesn't need it.
${EXITS}`,
    cache: `drimbox cache [list]: series that the box keeps
drimbox cache purge STUDY: forgets them (the PACS still has them)

${BOX_CHOICE}
${COMMON}

${EXITS}`,
    drain: `drimbox drain: no new requests (503), those under way end; before a restart

  --wait=SECONDS            at most (60); beyond, exit 1 and what is left goes on
  --undo                    open again: the restart did not come
${BOX_CHOICE}
${COMMON}

${EXITS}`,
    fleet: fleetEnglish.help,
    status: `drimbox status: how the running box is doing

${BOX_CHOICE}
${COMMON}

${EXITS}`
  },

  advice: {
    ECONNREFUSED: 'nothing listens on this port: check address and port, and that the DICOM service of the PACS is started',
    timeout: 'no answer: wrong address, or a firewall that drops packets',
    ETIMEDOUT: 'no answer: wrong address, or a firewall that drops packets',
    EHOSTUNREACH: 'no route to this machine: check the network (VLAN, gateway)',
    ENETUNREACH: 'no route to this network: check the address and the gateway of the box',
    'name-unknown': 'the DNS doesn\'t know this name: correct it, or give the IP address',
    tls: 'TLS failed: certificates and authorities on both sides',
    'called-AE-title-not-recognized': 'the PACS doesn\'t recognize the AE title that we call it by: check the AE title of the PACS',
    'calling-AE-title-not-recognized': 'the PACS doesn\'t recognize our AE title: have it declared in the PACS',
    'temporary-congestion': 'the PACS has too many open associations: try again later',
    'local-limit-exceeded': 'the PACS has reached its limit of associations: try again later',
    EADDRINUSE: 'this port is taken on this machine, probably by the box: stop it (systemctl stop drimbox), or use --method=get',
    EACCES: 'a port below 1024 needs administrator rights',
    'fleet-not-running': 'no fleet server runs with this socket: start it (node src/fleet.ts), or check adminSocket in its settings',
    'box-not-running': 'the box isn\'t running: systemctl status drimbox',
    'socket-forbidden': 'this account may not open the socket: use the account of the box, or root',
    'no-admin-socket': 'set adminSocket in the settings, or give --socket=PATH'
  },

  echo: {
    answered: ({ calledTitle, host, port, associationMilliseconds, echoMilliseconds, implementationVersion }) =>
      `${calledTitle}@${host}:${port} answers: association in ${milliseconds(associationMilliseconds)}, C-ECHO in ${milliseconds(echoMilliseconds)}${implementationVersion === undefined ? '' : ` (${implementationVersion})`}`
  },

  find: {
    progress: found => `${found} answers…`,
    found: found => found === 0 ? 'No answer.' : found === 1 ? '1 answer.' : `${found} answers.`,
    cut: limit => `Stopped at ${limit} answers; there are more (--limit=N).`,
    date: '$1-$2-$3',
    headings: {
      StudyDate: 'Date',
      StudyTime: 'Time',
      PatientName: 'Patient',
      PatientBirthDate: 'Born',
      PatientID: 'Patient ID',
      ModalitiesInStudy: 'Modalities',
      StudyDescription: 'Study',
      NumberOfStudyRelatedInstances: 'Images',
      AccessionNumber: 'Accession no.',
      StudyInstanceUID: 'Study UID',
      SeriesNumber: 'No.',
      Modality: 'Modality',
      SeriesDescription: 'Series',
      NumberOfSeriesRelatedInstances: 'Images',
      SeriesInstanceUID: 'Series UID',
      InstanceNumber: 'No.',
      SOPClassUID: 'SOP class',
      NumberOfFrames: 'Frames',
      SOPInstanceUID: 'Instance UID'
    }
  },

  get: {
    counting: found => `${found} objects announced…`,
    progress: (came, expected) => `${came} of ${expected} objects…`,
    done: ({ folder, arrived, expected, bytes: size, milliseconds: time }) => `${arrived} of ${expected} objects, ${bytes(size)} in ${milliseconds(time)}, in ${folder}`
  },

  bench: {
    plan: ({ pacs, study, isChosen, series, instances, method, associations, secondsMax }) => [
      `Measuring the PACS ${pacs}`,
      `Study ${study}: ${series} series, ${instances} image(s)${isChosen ? '; the smallest that suits' : ''}`,
      `It will be brought ${associations.length} time(s) by C-${method.toUpperCase()} (${associations.join(', ')} association(s)), ${secondsMax} s each at most; nothing is kept.`
    ].join('\n'),
    progress: (associations, came, expected) => `${associations} association(s): ${came} of ${expected} image(s)…`,
    headings: ['Associations', 'First image', 'Images', 'Bytes', 'Time', 'Throughput', 'Images/s'],
    row: ({ associations, firstImageMilliseconds, instances, expected, bytes: size, milliseconds: time, megabitsPerSecond, instancesPerSecond }) => [
      String(associations), firstImageMilliseconds === undefined ? '–' : milliseconds(firstImageMilliseconds), `${instances} of ${expected}`, bytes(size), milliseconds(time),
      `${number.format(megabitsPerSecond)} Mbit/s`, number.format(instancesPerSecond)
    ],
    nationalHeadings: ['National measure', 'Value', 'Remark'],
    national: (pacs, box) => {
      const noBox = 'no box runs, and no --box=URL'
      const rate = (value: number | undefined): string => value === undefined ? 'not measured' : `${number.format(value)} Mbit/s`
      const time = (value: number | undefined): string => value === undefined ? 'not measured' : milliseconds(value)
      const wado = box === undefined ? noBox : box.isCold ? 'from the PACS, through the box' : 'the box may have kept the study'
      return [
        ['PACS (DB.SO.102), first image', time(pacs.firstImageMilliseconds), ''],
        ['PACS (DB.SO.102), bytes', bytes(pacs.bytes), ''],
        ['PACS (DB.SO.102), throughput', rate(pacs.megabitsPerSecond), ''],
        ['Source, display latency', time(box?.displayLatencyMilliseconds), box === undefined ? noBox : 'one frame asked for alone, median'],
        ['Source, display throughput', rate(box?.displayMegabitsPerSecond), box === undefined ? noBox : 'frames asked for over six connections'],
        ['WADO-RS, latency', time(box?.wadoLatencyMilliseconds), wado],
        ['WADO-RS, throughput', rate(box?.wadoMegabitsPerSecond), wado],
        ['Consumer, display latency', 'to come', ''],
        ['Consumer, display throughput', 'to come', ''],
        ['Consumer, export throughput', 'to come', '']
      ]
    },
    remarks: measures => measures.flatMap(({ associations, isCut, instances, expected, statuses }) => [
      ...isCut ? [`${associations} association(s): ended, since the time allowed was over (--seconds=N).`] : [],
      ...!isCut && instances < expected ? [`${associations} association(s): ${expected - instances} image(s) that were announced didn't come.`] : [],
      ...statuses.length > 0 ? [`${associations} association(s): final status ${statuses.join(', ')}.`] : []
    ])
  },

  status: {
    page: ({ upSeconds, residentBytes, pacs, retrieves, cache, reads, pixels }) => [
      `Up for                ${duration(upSeconds)}, memory ${bytes(residentBytes)}`,
      `PACS                  ${{ closed: 'reachable', open: 'left alone after failures', 'half-open': 'being tried' }[pacs.breaker]}; associations: ${pacs.lent} in use, ${pacs.idle} in reserve, ${pacs.waiting} requests waiting`,
      `Reads                 ${reads.held} from the cache, ${reads.retrieved} from the PACS${hitRate(reads, percent => `: ${percent} % hits`)}`,
      `Cache                 ${cache.series} series, ${bytes(cache.bytes)}`,
      `Pixels                ${pixels.workers} threads with ${bytes(pixels.workerBytes)} of that memory, ${pixels.busy} at work; ${pixels.lanes} requests, ${pixels.waiting} frames waiting; ${pixels.lost} threads lost`,
      `Retrieves under way   ${retrieves.length === 0 ? 'none' : ''}`,
      ...retrieves.map(({ studyUid, arrived, readers }) => `  ${studyUid}: ${arrived} objects arrived, ${readers} readers`)
    ].map(line => line.trimEnd()).join('\n')
  },

  drain: {
    state: ({ isDraining, active }) => isDraining ? `No new requests; ${active} under way.` : `Open to requests; ${active} under way.`
  },
  fleet: fleetEnglish,

  cache: {
    headings: ['Last used', 'Objects', 'Size', 'State', 'Study', 'Series'],
    row: ({ usedAt, instances, expected, bytes: size, filling, complete, reason, studyUid, seriesUid }) => [
      moment.format(usedAt),
      complete || expected === undefined ? String(instances) : `${instances} of ${expected}`,
      bytes(size),
      filling ? 'arriving' : complete ? 'complete' : `partial${reason === undefined ? '' : ` (${reason})`}`,
      studyUid,
      seriesUid
    ],
    total: (series, size) => `${series} series, ${bytes(size)}.`,
    purged: study => `Study ${study} forgotten by the cache.`
  },

  pair: {
    title: ({ ourTitle, ourPort, pacsTitle, pacsHost, pacsPort }) => `Proof of the PACS ${pacsTitle}@${pacsHost}:${pacsPort}, we being ${ourTitle}, port ${ourPort}`,
    underWay: step => `… ${step}`,
    skipped: 'not done',
    ready: ({ pacsTitle }) => `✓ The PACS ${pacsTitle} is ready: it sends us the images that we ask for.`,
    notReady: ({ pacsTitle }) => `✗ The PACS ${pacsTitle} is not ready. To do:`,
    sheetWritten: file => `Sheet for the PACS vendor: ${file}`,
    sides: { pacs: 'in the PACS', network: 'in the network', box: 'in the box' },
    marks: { passed: 'passed', warned: 'note', failed: 'failed', skipped: 'not done' },
    steps: {
      name: 'Name resolution',
      tcp: 'TCP connection',
      tls: 'TLS connection',
      association: 'Association',
      echo: 'C-ECHO',
      find: 'C-FIND',
      move: 'C-MOVE of one object to us',
      get: 'C-GET of the same object'
    },
    facts: {
      address: 'address given',
      host: 'name',
      addresses: 'addresses',
      remoteAddress: 'address of the PACS',
      localAddress: 'our address towards it',
      protocol: 'protocol',
      cipher: 'cipher',
      certificateUntil: 'certificate of the PACS valid until',
      granted: 'services granted',
      refused: 'services refused',
      implementationVersion: 'software of the PACS',
      implementationClassUid: 'UID of that software',
      pduBytesMax: 'longest PDU of the PACS, in bytes',
      since: 'recent studies since',
      recentStudies: 'recent studies',
      allStudies: 'studies in all',
      modality: 'object chosen, modality',
      sopClassUid: 'SOP class',
      studyUid: 'study',
      seriesUid: 'series',
      sopInstanceUid: 'object',
      status: 'final status',
      comment: 'comment of the PACS',
      offeredSyntaxes: 'syntaxes offered by the PACS',
      acceptedSyntaxes: 'syntaxes accepted by the PACS',
      callingTitle: 'sent under the AE title',
      fromAddress: 'sent from the address',
      transferSyntaxUid: 'syntax of the object',
      bytes: 'size',
      arrivedMilliseconds: 'arrived after',
      bytesPerSecond: 'speed',
      throughBox: 'asked of the running box'
    },
    findings: {
      'name-unknown': ({ pacsHost }) => ({
        what: `The DNS doesn't know the name "${pacsHost}".`,
        todo: `declare "${pacsHost}" in the site's DNS, or set pacs.host to the IP address of the PACS`
      }),
      'tcp-refused': ({ pacsHost, pacsPort }) => ({
        what: `${pacsHost} answers, but nothing listens on port ${pacsPort}.`,
        todo: `start the DICOM service of the PACS, or give its true port (ours says pacs.port = ${pacsPort})`
      }),
      'tcp-silent': ({ ourAddress, pacsHost, pacsPort }) => ({
        what: `No answer from ${pacsHost}:${pacsPort}: wrong address, or a firewall that drops packets.`,
        todo: `open TCP ${ourAddress ?? 'box'} → ${pacsHost}:${pacsPort}, or correct pacs.host`
      }),
      'tcp-no-route': ({ pacsHost }) => ({
        what: `No route to ${pacsHost}.`,
        todo: `check address, VLAN and gateway between the box and ${pacsHost}`
      }),
      'tcp-failed': ({ pacsHost, pacsPort }, { reason }) => ({
        what: `No connection to ${pacsHost}:${pacsPort} (${reason}).`,
        todo: `check the network between the box and ${pacsHost}:${pacsPort}`
      }),
      'tls-failed': ({ pacsHost, pacsPort }, { reason, comment }) => ({
        what: `TCP works, TLS doesn't (${comment ?? reason}).`,
        todo: `enable TLS 1.2 or later on ${pacsHost}:${pacsPort}, and have the certificates believed on both sides (pacs.tls)`
      }),
      'called-title-refused': ({ pacsTitle }, { reason }) => ({
        what: `The PACS says that "${pacsTitle}" is not its AE title (${reason}).`,
        todo: `set pacs.calledTitle to the true AE title of the PACS, capitals included ("${pacsTitle}" is refused)`
      }),
      'calling-title-refused': ({ ourTitle, ourAddress }, { reason }) => ({
        what: `The PACS doesn't know our AE title "${ourTitle}" (${reason}).`,
        todo: `declare in the PACS the AE title ${ourTitle}, address ${ourAddress ?? 'of the box'}, with the right to query`
      }),
      'association-busy': (_, { reason }) => ({
        what: `The PACS has too many open associations (${reason}).`,
        todo: 'raise the number of simultaneous associations of the PACS, then try again'
      }),
      'association-refused': (_, { reason, result, source, number }) => ({
        what: `Association refused: ${reason} (result ${result}, source ${source}, reason ${number}).`,
        todo: 'look for this refusal in the log of the PACS; most often our AE title or address isn\'t allowed there'
      }),
      'association-closed': ({ ourTitle }, { code, reason }) => ({
        what: `The PACS cut the association without refusing it (${code}${reason === undefined ? '' : `, ${reason}`}).`,
        todo: `check that this port is the one of the DICOM service, that ${ourTitle} and its address are allowed, and whether TLS is demanded`
      }),
      'association-silent': (_, { code }) => ({
        what: `The PACS fell silent (${code}).`,
        todo: 'check that this port is the one of the DICOM service, and the service in the log of the PACS'
      }),
      'protocol-broken': (_, { code, reason }) => ({
        what: `The PACS doesn't follow the DICOM standard (${code}, ${reason}).`,
        todo: 'hand this report to the vendor of the PACS'
      }),
      'service-not-offered': ({ ourTitle }, { service, reason }) => ({
        what: `The PACS refuses ${service} (${reason}).`,
        todo: `grant ${service} (Study Root) to the AE title ${ourTitle}`
      }),
      'echo-failed': (_, { status }) => ({
        what: `The PACS answers C-ECHO with status ${status}.`,
        todo: 'look for the cause in the log of the PACS'
      }),
      'find-failed': ({ ourTitle }, { status, comment, code }) => ({
        what: `The query fails (${status ?? code}${comment === undefined ? '' : `, ${comment}`}).`,
        todo: `grant ${ourTitle} the right to query (C-FIND, Study Root) and look for the cause in the log of the PACS`
      }),
      'find-empty': ({ ourTitle }) => ({
        what: 'The PACS answers, but shows no study.',
        todo: `check that ${ourTitle} may see studies, or put at least one test study into the PACS`
      }),
      'find-no-instance': () => ({
        what: 'The PACS shows studies, but neither their series nor their images.',
        todo: 'allow C-FIND at the levels SERIES and IMAGE'
      }),
      'port-taken': ({ ourPort }) => ({
        what: `Port ${ourPort} is taken by another program on this machine.`,
        todo: `if that is the box: stop it for the time of the proof (systemctl stop drimbox), or set adminSocket in the settings so that the proof goes through it; else free port ${ourPort}, or choose another (dimse.port, --port) and have it declared in the PACS`
      }),
      'port-forbidden': ({ ourPort }) => ({
        what: `Listening on port ${ourPort} needs administrator rights.`,
        todo: 'run this under the account that may, or choose a port from 1024 up (dimse.port)'
      }),
      'port-failed': ({ ourPort }, { reason, host }) => ({
        what: `Cannot listen on ${host}:${ourPort} (${reason}).`,
        todo: 'correct dimse.host: it must be an address of this machine, or 0.0.0.0'
      }),
      'port-random': () => ({
        what: 'Our port is not fixed (dimse.port = 0): the PACS cannot know it.',
        todo: 'fix dimse.port (or --port) and have it declared in the PACS'
      }),
      'listens-elsewhere': (_, { host }) => ({
        what: `We listen on ${host} only, which the PACS cannot reach.`,
        todo: 'set dimse.host to an address of the network, or 0.0.0.0'
      }),
      'move-title-unknown': ({ ourTitle, ourAddress, ourPort }, { status }) => ({
        what: `The PACS doesn't know where "${ourTitle}" is (status ${status}, move destination unknown).`,
        todo: `declare in the PACS the destination AE title ${ourTitle}, address ${ourAddress ?? 'of the box'}, port ${ourPort}`
      }),
      'move-refused': ({ ourTitle, ourAddress, ourPort }, { status, comment }) => ({
        what: `The PACS refuses to send (status ${status}${comment === undefined ? '' : `, ${comment}`}), and nobody knocked at our port ${ourPort}.`,
        todo: `check in the PACS the destination AE title ${ourTitle}, address ${ourAddress ?? 'of the box'}, port ${ourPort}, and its right to receive; look for status ${status} in its log`
      }),
      'move-unreachable': ({ ourTitle, ourAddress, ourPort, pacsHost }, { status, failed }) => ({
        what: `The PACS tried to send (status ${status}, ${failed} failed), but nobody knocked at our port ${ourPort}: the address or port that it has for us is wrong, or a firewall is between us.`,
        todo: `correct in the PACS the destination ${ourTitle}: address ${ourAddress ?? 'of the box'}, port ${ourPort}; open TCP ${pacsHost} → ${ourAddress ?? 'box'}:${ourPort}`
      }),
      'move-elsewhere': ({ ourTitle, ourAddress, ourPort }, { status }) => ({
        what: `The PACS says that all is sent (status ${status}), but nothing arrived: it sends elsewhere.`,
        todo: `correct in the PACS the destination ${ourTitle}: address ${ourAddress ?? 'of the box'}, port ${ourPort}; another machine answers at those that it has`
      }),
      'move-silent': ({ ourTitle, ourAddress, ourPort, pacsHost }) => ({
        what: 'The PACS never told the end of the C-MOVE.',
        todo: `check in the PACS the destination ${ourTitle}, address ${ourAddress ?? 'of the box'}, port ${ourPort}, and TCP ${pacsHost} → ${ourAddress ?? 'box'}:${ourPort}; if the PACS reads slow storage, raise pacs.responseSeconds`
      }),
      'return-title-wrong': ({ ourTitle }, { calledTitle, address }) => ({
        what: `The PACS called us "${calledTitle}" from ${address}, while we are "${ourTitle}".`,
        todo: `correct in the PACS the AE title of our declaration: ${ourTitle}, capitals included`
      }),
      'return-tls-failed': (_, { address, reason }) => ({
        what: `The PACS (${address}) reached us, but not in valid TLS (${reason}).`,
        todo: 'enable TLS in the declaration of our destination, or remove dimse.tls if the site sends in the clear'
      }),
      'return-nothing-agreed': (_, { address }) => ({
        what: `The PACS (${address}) reached us, but offered no storage class that we receive.`,
        todo: 'allow for our destination the classes and syntaxes of the sheet below'
      }),
      'return-broken': ({ pacsHost }, { address, reason }) => ({
        what: `A connection from ${address} broke before the object was whole (${reason}).`,
        todo: `look in the log of the PACS why sending broke; check whatever filters between ${pacsHost} and the box`
      }),
      'sender-not-admitted': (_, { callingTitle, address }) => ({
        what: `The object arrived, but under the AE title "${callingTitle}" from ${address}, which our settings don't admit.`,
        todo: `add to the settings "senders": [{ "title": "${callingTitle}", "addresses": ["${address}"] }] in pacs`
      }),
      'get-failed': ({ ourTitle }, { status, comment, failed }) => ({
        what: `C-GET fails (status ${status}${comment === undefined ? '' : `, ${comment}`}${failed === undefined ? '' : `, ${failed} failed`}).`,
        todo: `if C-GET is to be used: allow it to ${ourTitle}, and look for status ${status} in the log of the PACS`
      }),
      'get-nothing': () => ({
        what: 'The PACS says that all is sent by C-GET, but nothing arrived.',
        todo: 'don\'t use C-GET with this PACS'
      }),
      'method-get-works': () => ({
        what: 'C-GET does work, with nothing declared in the PACS.',
        todo: 'meanwhile, set pacs.method to "get" in the settings'
      }),
      'box-refused': (_, { reason }) => ({
        what: `The running box could not bring the object (${reason}).`,
        todo: 'stop the box for a complete proof (systemctl stop drimbox), which will tell why'
      }),
      'box-had-it': (_, { study }) => ({
        what: 'The box already held objects of this study: that proves nothing about the PACS.',
        todo: `drimbox cache purge ${study}, then try again`
      }),
      interrupted: () => ({
        what: 'Interrupted.',
        todo: 'start again'
      })
    },
    sheet: {
      title: 'DICOM connection sheet: DRIMbox and PACS',
      purpose: 'For the person who administers the PACS. Holds no patient data.',
      ours: 'Our entity (DRIMbox)',
      theirs: 'The PACS, as we know it',
      aeTitle: 'AE title',
      address: 'IP address',
      addressUnknown: 'unknown (the PACS could not be reached)',
      port: 'Port',
      implementation: 'Software',
      pdu: 'Longest PDU received (bytes)',
      associationsOut: 'Simultaneous associations to the PACS, at most',
      associationsIn: 'Simultaneous associations received, at most',
      asScu: 'Services that we ask of the PACS (SCU)',
      asScp: 'Services that we give to the PACS (SCP)',
      storage: (classes, isListed) => `Storage (C-STORE): the ${classes} storage classes of PS3.4, Table B.5-1, retired ones included${isListed ? ', in the annex' : ' (list: drimbox pair --sheet=FILE)'}`,
      syntaxes: 'Transfer syntaxes, in order of preference',
      syntaxesNote: 'Send each object in the syntax in which it is archived, without compressing it again:',
      declare: 'To be declared in the PACS',
      declarations: ({ ourTitle, ourPort, pacsHost, pacsPort, pacsTitle }, { address, isMove, associations }) => [
        `AE title ${ourTitle}, address ${address}, port ${ourPort}, allowed to call ${pacsTitle}.`,
        `Rights of ${ourTitle}: C-ECHO, C-FIND (levels STUDY, SERIES, IMAGE) and ${isMove ? 'C-MOVE' : 'C-GET'} in Study Root, on all studies.`,
        ...isMove ? [`${ourTitle} as a destination of C-MOVE: address ${address}, port ${ourPort}.`] : [],
        `At least ${associations} simultaneous association(s) for ${ourTitle}.`,
        `Firewall: TCP ${address} → ${pacsHost}:${pacsPort}${isMove ? `; TCP ${pacsHost} → ${address}:${ourPort}` : ''}.`,
        'If addresses are translated between the two machines, declare the address that the PACS sees.'
      ],
      outcome: 'Outcome of the proof',
      open: 'Still to do:',
      classes: 'Annex: storage classes received'
    }
  }
}

function duration (seconds: number): string {
  const days = Math.floor(seconds / 86400)
  const hours = Math.floor(seconds % 86400 / 3600)
  const minutes = Math.floor(seconds % 3600 / 60)
  if (days > 0) return `${days} d ${hours} h`
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${Math.floor(seconds % 60)} s`
}
