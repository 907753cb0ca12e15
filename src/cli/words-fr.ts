/**
 * Every sentence of the command line, in French. The English catalogue has the same shape, checked by the compiler.
 *
 * Codes, option names and the standard's own words (C-MOVE, AE title, status) stay as they are: one searches for them.
 */

import type { CacheList, Status } from '#box/admin/routes.ts'
import type { DrainState } from '#box/http/drain.ts'
import type { Facts } from '#core/errors.ts'
import type { BoxMeasure } from './bench/measure-box.ts'
import type { PacsMeasure } from './bench/measure-pacs.ts'
import { hitRate } from './hit-rate.ts'
import { fleetFrench } from './fleet/words-fr.ts'
import type { FindingName, Mark, Site, StepName } from './pair/step.ts'

type Advice = Readonly<Record<string, string>>
interface BenchPlan {
  readonly pacs: string
  readonly study: string
  readonly isChosen: boolean
  readonly series: number
  readonly instances: number
  readonly method: 'move' | 'get'
  /** One pass each. */
  readonly associations: readonly number[]
  readonly secondsMax: number
}
interface Finding { readonly what: string, readonly todo: string }

const number = new Intl.NumberFormat('fr-FR', { maximumFractionDigits: 1 })
const UNITS = ['octets', 'ko', 'Mo', 'Go', 'To'] as const

function bytes (value: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)))
  return `${number.format(value / 1000 ** power)} ${UNITS[power]}`
}

function milliseconds (value: number): string {
  return value < 10_000 ? `${number.format(value)} ms` : `${number.format(value / 1000)} s`
}

const moment = new Intl.DateTimeFormat('fr-FR', { dateStyle: 'short', timeStyle: 'short' })

const PACS_CHOICE = `  --config=FICHIER          paramètres du boîtier (par défaut /var/lib/drimbox/config.json)
  --pacs=TITRE@hôte:port    PACS visé, sans fichier de paramètres (port 104 par défaut)
  --title=TITRE             notre AE title (par défaut celui des paramètres, sinon DRIMBOX)
  --port=PORT               notre port DICOM (par défaut celui des paramètres, sinon 11112)`
const BOX_CHOICE = `  --config=FICHIER   paramètres du boîtier, où est écrit le socket (par défaut /var/lib/drimbox/config.json)
  --socket=CHEMIN    socket d'administration du boîtier
  --json             réponse pour un programme`
const COMMON = `  --lang=fr|en              langue (par défaut celle de l'environnement, sinon français)
  --help                    cette aide`
const EXITS = 'Codes de sortie : 0 réussi, 1 échoué, 2 ligne de commande incorrecte.'

export const french = {
  language: 'fr',
  colon: ' : ',
  yes: 'oui',
  no: 'non',
  unlimited: 'sans limite',
  bytes,
  milliseconds,
  perSecond: (text: string): string => `${text}/s`,

  usage: {
    unknownVerb: (name: string): string => `drimbox : commande inconnue « ${name} »`,
    unknownOption: (name: string): string => `Option inconnue : ${name}`,
    needsValue: (name: string): string => `L'option ${name} attend une valeur.`,
    noValue: (name: string): string => `L'option ${name} ne prend pas de valeur.`,
    missingArgument: 'Il manque un argument.',
    extraArgument: (text: string): string => `Argument en trop : ${text}`,
    oneOf: (name: string, choices: readonly string[]): string => `${name} : valeurs possibles ${choices.join(', ')}`,
    between: (name: string, min: number, max: number): string => `${name} : nombre entier de ${min} à ${max}`,
    notBoth: (one: string, other: string): string => `${one} et ${other} ne s'emploient pas ensemble.`,
    pacsForm: (text: string): string => `--pacs=${text} : la forme attendue est TITRE@hôte:port, par exemple ORTHANC@10.0.0.5:4242`,
    unknownKey: (name: string): string => `« ${name} » n'est pas un attribut DICOM ; exemples : PatientName=LEF*, StudyDate=20250101-`,
    levelNeeds: (level: string, key: string): string => `--level=${level} demande la clé ${key}`,
    seeHelp: (verb: string): string => `Aide : drimbox ${verb} --help`
  },

  help: {
    drimbox: `drimbox : la ligne de commande du boîtier DRIMbox

  drimbox pair      prouve le PACS de bout en bout et nomme le paramètre qui manque
  drimbox echo      le PACS répond-il ? (C-ECHO)
  drimbox find      interroge le PACS (C-FIND)
  drimbox get       rapatrie un examen en fichiers DICOM (C-MOVE ou C-GET)
  drimbox bench     mesure le PACS du site (latence, débit) avec un examen
  drimbox status    état du boîtier en marche
  drimbox cache     ce que le boîtier garde en cache, et comment le purger
  drimbox drain     plus de nouvelles demandes, celles en cours se terminent
  drimbox fleet     le serveur de flotte : versions, équipements, déploiements

Aide d'une commande : drimbox COMMANDE --help (--lang=en for English)
${EXITS}`,
    echo: `drimbox echo : le PACS répond-il ? (C-ECHO)

${PACS_CHOICE}
  --json                    réponse pour un programme
${COMMON}

${EXITS}`,
    find: `drimbox find [Attribut=valeur…] : interroge le PACS (C-FIND)

  drimbox find 'PatientName=LEF*' StudyDate=20250101-20250331
  drimbox find --level=series StudyInstanceUID=1.2.3

Un attribut se nomme par son mot-clé ou son étiquette (00100010) ; sans valeur, il ajoute une colonne.

  --level=study|series|image   niveau interrogé (par défaut study)
  --limit=N                    nombre de réponses après lequel le PACS est prié d'arrêter (par défaut 100)
  --json                       DICOM JSON
${PACS_CHOICE}
${COMMON}

${EXITS}`,
    get: `drimbox get EXAMEN [SÉRIE] : rapatrie en fichiers DICOM (Part 10) et compte

  --method=move|get         C-MOVE vers notre AE title, ou C-GET (par défaut selon les paramètres)
  --into=DOSSIER            où écrire (par défaut un dossier nommé d'après l'UID de l'examen)
  --json                    réponse pour un programme
${PACS_CHOICE}
${COMMON}

C-MOVE écoute sur notre port : le boîtier ne doit pas l'occuper ; C-GET n'en a pas besoin.
${EXITS}`,
    pair: `drimbox pair : prouve le PACS de bout en bout

Résolution du nom, TCP, association, C-ECHO, C-FIND, C-MOVE d'un petit objet vers nous, C-GET. Nomme le
paramètre exact qui manque, et rédige la fiche à remettre à l'éditeur du PACS. Rien de nominatif n'est affiché.

  --sheet=FICHIER           écrit la fiche complète dans un fichier (sinon elle est affichée, abrégée)
  --json                    réponse pour un programme
${PACS_CHOICE}
${COMMON}

Si le boîtier est en marche, l'objet lui est demandé par DICOMweb ; sinon la commande écoute elle-même sur notre port.
${EXITS}`,
    bench: `drimbox bench pacs [EXAMEN] : mesure le PACS du site avec un seul examen

Latence de la première image, octets, débit, images par seconde, selon le nombre d'associations ; puis les mesures
nationales par leur nom. Dit d'abord ce qui sera fait. Rien n'est gardé, rien de nominatif n'est demandé ni affiché.
Sans EXAMEN : le plus petit examen récent d'au moins 50 images. Le premier passage lit le stockage du PACS, les
suivants peut-être sa mémoire.

  --method=move|get         C-MOVE vers notre AE title, ou C-GET (par défaut selon les paramètres)
  --associations=N          au plus tant d'associations à la fois (par défaut, et au plus, celles des paramètres)
  --instances=N             pas d'examen de plus de N images (par défaut 2000)
  --seconds=N               chaque passage est interrompu après N secondes (par défaut 120)
  --box=URL                 mesure aussi le boîtier, par sa racine DICOMweb (par défaut celui des paramètres, s'il marche)
  --dry-run                 dit ce qui serait fait, et ne fait rien
  --json                    réponse pour un programme
${PACS_CHOICE}
${COMMON}

C-MOVE écoute sur notre port : le boîtier ne doit pas l'occuper ; C-GET n'en a pas besoin.
${EXITS}`,
    cache: `drimbox cache [list] : séries que le boîtier garde
drimbox cache purge EXAMEN : les oublie (le PACS les a toujours)

${BOX_CHOICE}
${COMMON}

${EXITS}`,
    drain: `drimbox drain : plus de nouvelles demandes (503), celles en cours se terminent ; avant un redémarrage

  --wait=SECONDES           au plus (60) ; au-delà, sortie 1 et les demandes restantes continuent
  --undo                    reprendre : le redémarrage n'a pas eu lieu
${BOX_CHOICE}
${COMMON}

${EXITS}`,
    fleet: fleetFrench.help,
    status: `drimbox status : état du boîtier en marche

${BOX_CHOICE}
${COMMON}

${EXITS}`
  },

  /** By the reason in an error's facts. */
  advice: {
    ECONNREFUSED: 'aucun programme n\'écoute sur ce port : vérifier l\'adresse et le port, et que le service DICOM du PACS est démarré',
    timeout: 'aucune réponse : adresse fausse, ou pare-feu qui jette les paquets',
    ETIMEDOUT: 'aucune réponse : adresse fausse, ou pare-feu qui jette les paquets',
    EHOSTUNREACH: 'aucune route vers cette machine : vérifier le réseau (VLAN, passerelle)',
    ENETUNREACH: 'aucune route vers ce réseau : vérifier l\'adresse et la passerelle du boîtier',
    'name-unknown': 'ce nom n\'est pas connu du DNS : le corriger, ou donner l\'adresse IP',
    tls: 'la négociation TLS a échoué : certificats et autorités des deux côtés',
    'called-AE-title-not-recognized': 'le PACS ne reconnaît pas l\'AE title sous lequel nous l\'appelons : vérifier l\'AE title du PACS',
    'calling-AE-title-not-recognized': 'le PACS ne reconnaît pas notre AE title : le faire déclarer dans le PACS',
    'temporary-congestion': 'le PACS a trop d\'associations ouvertes : réessayer plus tard',
    'local-limit-exceeded': 'le PACS a atteint sa limite d\'associations : réessayer plus tard',
    EADDRINUSE: 'ce port est déjà pris sur cette machine, sans doute par le boîtier : l\'arrêter (systemctl stop drimbox), ou employer --method=get',
    EACCES: 'un port inférieur à 1024 demande des droits d\'administrateur',
    'fleet-not-running': 'aucun serveur de flotte ne tourne avec ce socket : le démarrer (node src/fleet.ts), ou vérifier adminSocket dans ses paramètres',
    'box-not-running': 'le boîtier ne fonctionne pas : systemctl status drimbox',
    'socket-forbidden': 'ce compte n\'a pas le droit d\'ouvrir le socket : employer celui du boîtier, ou root',
    'no-admin-socket': 'indiquer adminSocket dans les paramètres, ou --socket=CHEMIN'
  } as Advice,

  echo: {
    answered: ({ calledTitle, host, port, associationMilliseconds, echoMilliseconds, implementationVersion }: { calledTitle: string, host: string, port: number, associationMilliseconds: number, echoMilliseconds: number, implementationVersion: string | undefined }): string =>
      `${calledTitle}@${host}:${port} répond : association en ${milliseconds(associationMilliseconds)}, C-ECHO en ${milliseconds(echoMilliseconds)}${implementationVersion === undefined ? '' : ` (${implementationVersion})`}`
  },

  find: {
    progress: (found: number): string => `${found} réponse(s)…`,
    found: (found: number): string => found === 0 ? 'Aucune réponse.' : found === 1 ? '1 réponse.' : `${found} réponses.`,
    cut: (limit: number): string => `Arrêté à ${limit} réponses ; il y en a d'autres (--limit=N).`,
    /** Replacement for year, month, day. */
    date: '$3/$2/$1',
    headings: {
      StudyDate: 'Date',
      StudyTime: 'Heure',
      PatientName: 'Patient',
      PatientBirthDate: 'Naissance',
      PatientID: 'Identifiant',
      ModalitiesInStudy: 'Modalités',
      StudyDescription: 'Examen',
      NumberOfStudyRelatedInstances: 'Images',
      AccessionNumber: 'N° de demande',
      StudyInstanceUID: 'UID de l\'examen',
      SeriesNumber: 'N°',
      Modality: 'Modalité',
      SeriesDescription: 'Série',
      NumberOfSeriesRelatedInstances: 'Images',
      SeriesInstanceUID: 'UID de la série',
      InstanceNumber: 'N°',
      SOPClassUID: 'Classe SOP',
      NumberOfFrames: 'Vues',
      SOPInstanceUID: 'UID de l\'objet'
    } as Readonly<Record<string, string>>
  },

  get: {
    counting: (found: number): string => `${found} objet(s) annoncé(s)…`,
    progress: (came: number, expected: number): string => `${came} objet(s) sur ${expected}…`,
    done: ({ folder, arrived, expected, bytes: size, milliseconds: time }: { folder: string, arrived: number, expected: number, bytes: number, milliseconds: number }): string =>
      `${arrived} objet(s) sur ${expected}, ${bytes(size)} en ${milliseconds(time)}, dans ${folder}`
  },

  bench: {
    plan: ({ pacs, study, isChosen, series, instances, method, associations, secondsMax }: BenchPlan): string => [
      `Mesure du PACS ${pacs}`,
      `Examen ${study} : ${series} série(s), ${instances} image(s)${isChosen ? ' ; le plus petit qui convienne' : ''}`,
      `Il sera rapatrié ${associations.length} fois par C-${method.toUpperCase()} (${associations.join(', ')} association(s)), ${secondsMax} s au plus à chaque fois, sans rien garder.`
    ].join('\n'),
    progress: (associations: number, came: number, expected: number): string => `${associations} association(s) : ${came} image(s) sur ${expected}…`,
    headings: ['Associations', 'Première image', 'Images', 'Octets', 'Durée', 'Débit', 'Images/s'],
    row: ({ associations, firstImageMilliseconds, instances, expected, bytes: size, milliseconds: time, megabitsPerSecond, instancesPerSecond }: PacsMeasure): string[] => [
      String(associations), firstImageMilliseconds === undefined ? '–' : milliseconds(firstImageMilliseconds), `${instances} sur ${expected}`, bytes(size), milliseconds(time),
      `${number.format(megabitsPerSecond)} Mbit/s`, number.format(instancesPerSecond)
    ],
    nationalHeadings: ['Mesure nationale', 'Valeur', 'Remarque'],
    national: (pacs: PacsMeasure, box: BoxMeasure | undefined): string[][] => {
      const noBox = 'aucun boîtier en marche, ni --box=URL'
      const rate = (value: number | undefined): string => value === undefined ? 'non mesuré' : `${number.format(value)} Mbit/s`
      const time = (value: number | undefined): string => value === undefined ? 'non mesuré' : milliseconds(value)
      const wado = box === undefined ? noBox : box.isCold ? 'depuis le PACS, par le boîtier' : 'le boîtier avait peut-être l\'examen en cache'
      return [
        ['PACS (DB.SO.102), première image', time(pacs.firstImageMilliseconds), ''],
        ['PACS (DB.SO.102), octets', bytes(pacs.bytes), ''],
        ['PACS (DB.SO.102), débit', rate(pacs.megabitsPerSecond), ''],
        ['Source, latence d\'affichage', time(box?.displayLatencyMilliseconds), box === undefined ? noBox : 'une vue demandée seule, médiane'],
        ['Source, débit d\'affichage', rate(box?.displayMegabitsPerSecond), box === undefined ? noBox : 'vues demandées par six connexions'],
        ['WADO-RS, latence', time(box?.wadoLatencyMilliseconds), wado],
        ['WADO-RS, débit', rate(box?.wadoMegabitsPerSecond), wado],
        ['Consommateur, latence d\'affichage', 'à venir', ''],
        ['Consommateur, débit d\'affichage', 'à venir', ''],
        ['Consommateur, débit d\'export', 'à venir', '']
      ]
    },
    remarks: (measures: readonly PacsMeasure[]): string[] => measures.flatMap(({ associations, isCut, instances, expected, statuses }) => [
      ...isCut ? [`${associations} association(s) : interrompu, le temps accordé étant écoulé (--seconds=N).`] : [],
      ...!isCut && instances < expected ? [`${associations} association(s) : ${expected - instances} image(s) annoncée(s) ne sont pas venues.`] : [],
      ...statuses.length > 0 ? [`${associations} association(s) : statut final ${statuses.join(', ')}.`] : []
    ])
  },

  status: {
    page: ({ upSeconds, residentBytes, pacs, retrieves, cache, reads, pixels }: Status): string => [
      `En marche depuis      ${duration(upSeconds)}, mémoire ${bytes(residentBytes)}`,
      `PACS                  ${{ closed: 'joignable', open: 'laissé au repos après des échecs', 'half-open': 'à l\'essai' }[pacs.breaker]} ; associations : ${pacs.lent} en service, ${pacs.idle} en réserve, ${pacs.waiting} demande(s) en attente`,
      `Lectures              ${reads.held} servies du cache, ${reads.retrieved} par le PACS${hitRate(reads, percent => ` : ${percent} % de succès du cache`)}`,
      `Cache                 ${cache.series} série(s), ${bytes(cache.bytes)}`,
      `Pixels                ${pixels.workers} tâche(s) occupant ${bytes(pixels.workerBytes)} de cette mémoire, ${pixels.busy} au travail ; ${pixels.lanes} demande(s), ${pixels.waiting} vue(s) en attente ; ${pixels.lost} tâche(s) perdue(s)`,
      `Rapatriements en cours ${retrieves.length === 0 ? 'aucun' : ''}`,
      ...retrieves.map(({ studyUid, arrived, readers }) => `  ${studyUid} : ${arrived} objet(s) arrivé(s), ${readers} lecteur(s)`)
    ].map(line => line.trimEnd()).join('\n')
  },

  drain: {
    state: ({ isDraining, active }: DrainState): string => isDraining ? `Plus de nouvelles demandes ; ${active} en cours.` : `Ouvert aux demandes ; ${active} en cours.`
  },
  fleet: fleetFrench,

  cache: {
    headings: ['Dernier usage', 'Objets', 'Taille', 'État', 'Examen', 'Série'],
    row: ({ usedAt, instances, expected, bytes: size, filling, complete, reason, studyUid, seriesUid }: CacheList[number]): string[] => [
      moment.format(usedAt),
      complete || expected === undefined ? String(instances) : `${instances} sur ${expected}`,
      bytes(size),
      filling ? 'en cours' : complete ? 'complète' : `partielle${reason === undefined ? '' : ` (${reason})`}`,
      studyUid,
      seriesUid
    ],
    total: (series: number, size: number): string => `${series} série(s), ${bytes(size)}.`,
    purged: (study: string): string => `Examen ${study} oublié du cache.`
  },

  pair: {
    title: ({ ourTitle, ourPort, pacsTitle, pacsHost, pacsPort }: Site): string => `Preuve du PACS ${pacsTitle}@${pacsHost}:${pacsPort}, nous étant ${ourTitle}, port ${ourPort}`,
    underWay: (step: string): string => `… ${step}`,
    skipped: 'sans objet',
    ready: ({ pacsTitle }: Site): string => `✓ Le PACS ${pacsTitle} est prêt : il nous envoie les images demandées.`,
    notReady: ({ pacsTitle }: Site): string => `✗ Le PACS ${pacsTitle} n'est pas prêt. À faire :`,
    sheetWritten: (file: string): string => `Fiche pour l'éditeur du PACS : ${file}`,
    sides: { pacs: 'côté PACS', network: 'côté réseau', box: 'côté boîtier' } as Readonly<Record<'pacs' | 'network' | 'box', string>>,
    marks: { passed: 'réussi', warned: 'à noter', failed: 'échoué', skipped: 'non fait' } as Readonly<Record<Mark, string>>,
    steps: {
      name: 'Résolution du nom',
      tcp: 'Connexion TCP',
      tls: 'Connexion TLS',
      association: 'Association',
      echo: 'C-ECHO',
      find: 'C-FIND',
      move: 'C-MOVE d\'un objet vers nous',
      get: 'C-GET du même objet'
    } as Readonly<Record<StepName, string>>,
    facts: {
      address: 'adresse donnée',
      host: 'nom',
      addresses: 'adresses',
      remoteAddress: 'adresse du PACS',
      localAddress: 'notre adresse vers lui',
      protocol: 'protocole',
      cipher: 'chiffrement',
      certificateUntil: 'certificat du PACS valable jusqu\'au',
      granted: 'services accordés',
      refused: 'services refusés',
      implementationVersion: 'logiciel du PACS',
      implementationClassUid: 'UID de ce logiciel',
      pduBytesMax: 'PDU maximal du PACS, en octets',
      since: 'examens récents depuis',
      recentStudies: 'examens récents',
      allStudies: 'examens en tout',
      modality: 'objet choisi, modalité',
      sopClassUid: 'classe SOP',
      studyUid: 'examen',
      seriesUid: 'série',
      sopInstanceUid: 'objet',
      status: 'statut final',
      comment: 'commentaire du PACS',
      offeredSyntaxes: 'syntaxes proposées par le PACS',
      acceptedSyntaxes: 'syntaxes acceptées par le PACS',
      callingTitle: 'envoyé sous l\'AE title',
      fromAddress: 'envoyé depuis l\'adresse',
      transferSyntaxUid: 'syntaxe de l\'objet',
      bytes: 'taille',
      arrivedMilliseconds: 'arrivé après',
      bytesPerSecond: 'débit',
      throughBox: 'demandé au boîtier en marche'
    } as Readonly<Record<string, string>>,
    findings: {
      'name-unknown': ({ pacsHost }) => ({
        what: `Le nom « ${pacsHost} » est inconnu du DNS.`,
        todo: `déclarer « ${pacsHost} » dans le DNS du site, ou mettre l'adresse IP du PACS dans pacs.host`
      }),
      'tcp-refused': ({ pacsHost, pacsPort }) => ({
        what: `${pacsHost} répond, mais rien n'écoute sur le port ${pacsPort}.`,
        todo: `démarrer le service DICOM du PACS, ou donner son vrai port (le nôtre est réglé sur pacs.port = ${pacsPort})`
      }),
      'tcp-silent': ({ ourAddress, pacsHost, pacsPort }) => ({
        what: `Aucune réponse de ${pacsHost}:${pacsPort} : adresse fausse, ou pare-feu qui jette les paquets.`,
        todo: `ouvrir le flux TCP ${ourAddress ?? 'boîtier'} → ${pacsHost}:${pacsPort}, ou corriger pacs.host`
      }),
      'tcp-no-route': ({ pacsHost }) => ({
        what: `Aucune route vers ${pacsHost}.`,
        todo: `vérifier l'adresse, le VLAN et la passerelle entre le boîtier et ${pacsHost}`
      }),
      'tcp-failed': ({ pacsHost, pacsPort }, { reason }) => ({
        what: `Connexion à ${pacsHost}:${pacsPort} impossible (${reason}).`,
        todo: `vérifier le réseau entre le boîtier et ${pacsHost}:${pacsPort}`
      }),
      'tls-failed': ({ pacsHost, pacsPort }, { reason, comment }) => ({
        what: `TCP passe, mais pas TLS (${comment ?? reason}).`,
        todo: `activer TLS 1.2 ou plus sur ${pacsHost}:${pacsPort}, et faire reconnaître les certificats de part et d'autre (pacs.tls)`
      }),
      'called-title-refused': ({ pacsTitle }, { reason }) => ({
        what: `Le PACS dit que « ${pacsTitle} » n'est pas son AE title (${reason}).`,
        todo: `mettre dans pacs.calledTitle le vrai AE title du PACS, majuscules comprises (« ${pacsTitle} » est refusé)`
      }),
      'calling-title-refused': ({ ourTitle, ourAddress }, { reason }) => ({
        what: `Le PACS ne connaît pas notre AE title « ${ourTitle} » (${reason}).`,
        todo: `déclarer dans le PACS l'AE title ${ourTitle}, adresse ${ourAddress ?? 'du boîtier'}, avec le droit d'interroger`
      }),
      'association-busy': (_, { reason }) => ({
        what: `Le PACS a trop d'associations ouvertes (${reason}).`,
        todo: 'relever le nombre d\'associations simultanées du PACS, puis recommencer'
      }),
      'association-refused': (_, { reason, result, source, number }) => ({
        what: `Association refusée : ${reason} (result ${result}, source ${source}, reason ${number}).`,
        todo: 'chercher ce refus dans le journal du PACS ; le plus souvent notre AE title ou notre adresse n\'y est pas autorisé'
      }),
      'association-closed': ({ ourTitle }, { code, reason }) => ({
        what: `Le PACS a coupé l'association sans la refuser (${code}${reason === undefined ? '' : `, ${reason}`}).`,
        todo: `vérifier que ce port est bien celui du service DICOM, que ${ourTitle} et son adresse y sont autorisés, et si TLS y est exigé`
      }),
      'association-silent': (_, { code }) => ({
        what: `Le PACS s'est tu (${code}).`,
        todo: 'vérifier que ce port est bien celui du service DICOM, et l\'état du service dans le journal du PACS'
      }),
      'protocol-broken': (_, { code, reason }) => ({
        what: `Le PACS ne suit pas la norme DICOM (${code}, ${reason}).`,
        todo: 'remettre ce rapport à l\'éditeur du PACS'
      }),
      'service-not-offered': ({ ourTitle }, { service, reason }) => ({
        what: `Le PACS refuse ${service} (${reason}).`,
        todo: `accorder ${service} (Study Root) à l'AE title ${ourTitle}`
      }),
      'echo-failed': (_, { status }) => ({
        what: `Le PACS répond au C-ECHO par le statut ${status}.`,
        todo: 'chercher la cause dans le journal du PACS'
      }),
      'find-failed': ({ ourTitle }, { status, comment, code }) => ({
        what: `La recherche échoue (${status ?? code}${comment === undefined ? '' : `, ${comment}`}).`,
        todo: `accorder à ${ourTitle} le droit d'interroger (C-FIND, Study Root) et chercher la cause dans le journal du PACS`
      }),
      'find-empty': ({ ourTitle }) => ({
        what: 'Le PACS répond, mais ne montre aucun examen.',
        todo: `vérifier que ${ourTitle} a le droit de voir les examens, ou mettre au moins un examen d'essai dans le PACS`
      }),
      'find-no-instance': () => ({
        what: 'Le PACS montre des examens, mais ni leurs séries ni leurs images.',
        todo: 'autoriser C-FIND aux niveaux SERIES et IMAGE'
      }),
      'port-taken': ({ ourPort }) => ({
        what: `Le port ${ourPort} est déjà pris par un autre programme de cette machine.`,
        todo: `si c'est le boîtier : l'arrêter le temps de la preuve (systemctl stop drimbox), ou indiquer adminSocket dans les paramètres pour que la preuve passe par lui ; sinon libérer le port ${ourPort}, ou en choisir un autre (dimse.port, --port) et le faire déclarer dans le PACS`
      }),
      'port-forbidden': ({ ourPort }) => ({
        what: `Écouter sur le port ${ourPort} demande des droits d'administrateur.`,
        todo: 'lancer la commande sous le compte qui en a le droit, ou choisir un port à partir de 1024 (dimse.port)'
      }),
      'port-failed': ({ ourPort }, { reason, host }) => ({
        what: `Impossible d'écouter sur ${host}:${ourPort} (${reason}).`,
        todo: 'corriger dimse.host : ce doit être une adresse de cette machine, ou 0.0.0.0'
      }),
      'port-random': () => ({
        what: 'Notre port n\'est pas fixé (dimse.port = 0) : le PACS ne peut pas le connaître.',
        todo: 'fixer dimse.port (ou --port) et le faire déclarer dans le PACS'
      }),
      'listens-elsewhere': (_, { host }) => ({
        what: `Nous n'écoutons que sur ${host}, que le PACS ne peut pas joindre.`,
        todo: 'mettre dans dimse.host une adresse du réseau, ou 0.0.0.0'
      }),
      'move-title-unknown': ({ ourTitle, ourAddress, ourPort }, { status }) => ({
        what: `Le PACS ne sait pas où est « ${ourTitle} » (statut ${status}, destination inconnue).`,
        todo: `déclarer dans le PACS la destination AE title ${ourTitle}, adresse ${ourAddress ?? 'du boîtier'}, port ${ourPort}`
      }),
      'move-refused': ({ ourTitle, ourAddress, ourPort }, { status, comment }) => ({
        what: `Le PACS refuse d'envoyer (statut ${status}${comment === undefined ? '' : `, ${comment}`}), et rien n'a frappé à notre port ${ourPort}.`,
        todo: `vérifier dans le PACS la destination AE title ${ourTitle}, adresse ${ourAddress ?? 'du boîtier'}, port ${ourPort}, et son droit de recevoir ; chercher le statut ${status} dans son journal`
      }),
      'move-unreachable': ({ ourTitle, ourAddress, ourPort, pacsHost }, { status, failed }) => ({
        what: `Le PACS a essayé d'envoyer (statut ${status}, ${failed} échec), mais personne n'a frappé à notre port ${ourPort} : l'adresse ou le port qu'il a pour nous est faux, ou un pare-feu est entre nous.`,
        todo: `corriger dans le PACS la destination ${ourTitle} : adresse ${ourAddress ?? 'du boîtier'}, port ${ourPort} ; ouvrir le flux TCP ${pacsHost} → ${ourAddress ?? 'boîtier'}:${ourPort}`
      }),
      'move-elsewhere': ({ ourTitle, ourAddress, ourPort }, { status }) => ({
        what: `Le PACS dit avoir tout envoyé (statut ${status}), mais rien n'est arrivé : il envoie ailleurs.`,
        todo: `corriger dans le PACS la destination ${ourTitle} : adresse ${ourAddress ?? 'du boîtier'}, port ${ourPort} ; une autre machine répond à celles qu'il a`
      }),
      'move-silent': ({ ourTitle, ourAddress, ourPort, pacsHost }) => ({
        what: 'Le PACS n\'a jamais dit la fin du C-MOVE.',
        todo: `vérifier dans le PACS la destination ${ourTitle}, adresse ${ourAddress ?? 'du boîtier'}, port ${ourPort}, et le flux TCP ${pacsHost} → ${ourAddress ?? 'boîtier'}:${ourPort} ; si le PACS lit un stockage lent, relever pacs.responseSeconds`
      }),
      'return-title-wrong': ({ ourTitle }, { calledTitle, address }) => ({
        what: `Le PACS nous a appelés « ${calledTitle} » depuis ${address}, alors que nous sommes « ${ourTitle} ».`,
        todo: `corriger dans le PACS l'AE title de notre déclaration : ${ourTitle}, majuscules comprises`
      }),
      'return-tls-failed': (_, { address, reason }) => ({
        what: `Le PACS (${address}) nous a joints, mais pas en TLS valable (${reason}).`,
        todo: 'activer TLS dans la déclaration de notre destination, ou retirer dimse.tls si le site envoie en clair'
      }),
      'return-nothing-agreed': (_, { address }) => ({
        what: `Le PACS (${address}) nous a joints, mais n'a proposé aucune classe de stockage que nous recevions.`,
        todo: 'autoriser pour notre destination les classes et syntaxes de la fiche ci-dessous'
      }),
      'return-broken': ({ pacsHost }, { address, reason }) => ({
        what: `Une connexion venue de ${address} s'est rompue avant la fin de l'objet (${reason}).`,
        todo: `chercher dans le journal du PACS pourquoi l'envoi s'est rompu ; vérifier tout équipement qui filtre entre ${pacsHost} et le boîtier`
      }),
      'sender-not-admitted': (_, { callingTitle, address }) => ({
        what: `L'objet est arrivé, mais sous l'AE title « ${callingTitle} » depuis ${address}, que nos paramètres n'admettent pas.`,
        todo: `ajouter aux paramètres "senders": [{ "title": "${callingTitle}", "addresses": ["${address}"] }] dans pacs`
      }),
      'get-failed': ({ ourTitle }, { status, comment, failed }) => ({
        what: `C-GET échoue (statut ${status}${comment === undefined ? '' : `, ${comment}`}${failed === undefined ? '' : `, ${failed} échec`}).`,
        todo: `si C-GET doit servir : l'autoriser à ${ourTitle}, et chercher le statut ${status} dans le journal du PACS`
      }),
      'get-nothing': () => ({
        what: 'Le PACS dit avoir tout envoyé par C-GET, mais rien n\'est arrivé.',
        todo: 'ne pas se servir de C-GET avec ce PACS'
      }),
      'method-get-works': () => ({
        what: 'C-GET fonctionne, lui, sans rien déclarer dans le PACS.',
        todo: 'en attendant, mettre pacs.method à "get" dans les paramètres'
      }),
      'box-refused': (_, { reason }) => ({
        what: `Le boîtier en marche n'a pas pu rapatrier l'objet (${reason}).`,
        todo: 'arrêter le boîtier le temps d\'une preuve complète (systemctl stop drimbox), qui dira pourquoi'
      }),
      'box-had-it': (_, { study }) => ({
        what: 'Le boîtier gardait déjà des objets de cet examen : cela ne prouve rien du PACS.',
        todo: `drimbox cache purge ${study}, puis recommencer`
      }),
      interrupted: () => ({
        what: 'Interrompu.',
        todo: 'recommencer'
      })
    } as Readonly<Record<FindingName, (site: Site, facts: Facts) => Finding>>,
    sheet: {
      title: 'Fiche de raccordement DICOM : DRIMbox et PACS',
      purpose: 'À remettre à la personne qui administre le PACS. Ne contient aucune donnée de patient.',
      ours: 'Notre entité (DRIMbox)',
      theirs: 'Le PACS, tel que nous le connaissons',
      aeTitle: 'AE title',
      address: 'Adresse IP',
      addressUnknown: 'inconnue (le PACS n\'a pas pu être joint)',
      port: 'Port',
      implementation: 'Logiciel',
      pdu: 'PDU maximal reçu (octets)',
      associationsOut: 'Associations simultanées vers le PACS, au plus',
      associationsIn: 'Associations simultanées reçues, au plus',
      asScu: 'Services que nous demandons au PACS (SCU)',
      asScp: 'Services que nous rendons au PACS (SCP)',
      storage: (classes: number, isListed: boolean): string => `Storage (C-STORE) : les ${classes} classes de stockage de PS3.4, table B.5-1, retirées comprises${isListed ? ', en annexe' : ' (liste : drimbox pair --sheet=FICHIER)'}`,
      syntaxes: 'Syntaxes de transfert, par ordre de préférence',
      syntaxesNote: 'Envoyer chaque objet dans la syntaxe où il est archivé, sans recompression :',
      declare: 'À déclarer côté PACS',
      declarations: ({ ourTitle, ourPort, pacsHost, pacsPort, pacsTitle }: Site, { address, isMove, associations }: { address: string, isMove: boolean, associations: number }): string[] => [
        `AE title ${ourTitle}, adresse ${address}, port ${ourPort}, autorisé à appeler ${pacsTitle}.`,
        `Droits de ${ourTitle} : C-ECHO, C-FIND (niveaux STUDY, SERIES, IMAGE) et ${isMove ? 'C-MOVE' : 'C-GET'} en Study Root, sur tous les examens.`,
        ...isMove ? [`${ourTitle} comme destination de C-MOVE : adresse ${address}, port ${ourPort}.`] : [],
        `Au moins ${associations} association(s) simultanée(s) pour ${ourTitle}.`,
        `Pare-feu : TCP ${address} → ${pacsHost}:${pacsPort}${isMove ? ` ; TCP ${pacsHost} → ${address}:${ourPort}` : ''}.`,
        'Si une traduction d\'adresses sépare les deux machines, déclarer l\'adresse vue du PACS.'
      ],
      outcome: 'Résultat de la preuve',
      open: 'Reste à faire :',
      classes: 'Annexe : classes de stockage reçues'
    }
  }
}

export type Words = typeof french

function duration (seconds: number): string {
  const days = Math.floor(seconds / 86400)
  const hours = Math.floor(seconds % 86400 / 3600)
  const minutes = Math.floor(seconds % 3600 / 60)
  if (days > 0) return `${days} j ${hours} h`
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${Math.floor(seconds % 60)} s`
}
