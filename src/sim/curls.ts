/**
 * The demo's addresses as a small table, each with a `curl` that can be pasted as it stands.
 */

import { relative } from 'node:path'
import type { Endpoints } from './hospital.ts'

interface Row { readonly what: string, readonly command: string }

export function curls ({ dicomweb, dimse, pacs, studies, config }: Endpoints): string {
  const small = studies.toSorted((a, b) => a.instances - b.instances).find(({ modality }) => modality === 'CR') ?? studies[0]
  const large = studies.toSorted((a, b) => b.instances - a.instances)[0]
  const study = small?.studyUid ?? 'STUDY_UID'
  const rows: Row[] = [
    { what: 'studies (QIDO-RS)', command: `curl -s '${dicomweb}/studies?limit=20'` },
    { what: 'by name, with accents', command: `curl -s '${dicomweb}/studies?PatientName=LEF%C3%88VRE*'` },
    { what: 'series of one', command: `curl -s '${dicomweb}/studies/${study}/series'` },
    { what: 'its metadata', command: `curl -s --compressed '${dicomweb}/studies/${study}/metadata'` },
    { what: 'its images (WADO-RS)', command: `curl -sS -o study.multipart -H 'Accept: multipart/related; type="application/dicom"; transfer-syntax=*' '${dicomweb}/studies/${study}'` },
    ...large === undefined ? [] : [{ what: `the ${large.instances} images of ${large.modality}`, command: `curl -o large.multipart -H 'Accept: multipart/related; type="application/dicom"; transfer-syntax=*' '${dicomweb}/studies/${large.studyUid}'` }]
  ]
  const cli = 'node_modules/.bin/node src/cli.ts'
  const settings = `--config=${relative('', config)}`
  rows.push({ what: 'prove the PACS', command: `${cli} pair ${settings}` }, { what: 'how the box is', command: `${cli} status ${settings}` })
  const width = Math.max(...rows.map(({ what }) => what.length))
  return [
    `  DICOMweb   ${dicomweb}`,
    `  DIMSE      ${dimse.aeTitle}, port ${dimse.port}`,
    `  PACS       ${pacs.aeTitle}@${pacs.host}:${pacs.port}${pacs.simulated ? ' (simulated)' : ` must know ${dimse.aeTitle} at this machine, port ${dimse.port}`}`,
    '',
    ...rows.map(({ what, command }) => `  ${what.padEnd(width)}   ${command}`)
  ].join('\n')
}
