/**
 * A structured report with a French text.
 *
 * Source: DICOM PS3.3 §A.35.1 (Basic Text SR), PS3.16 TID 2000.
 */

import type { Attributes } from './dataset-writer.ts'
import { seededUid } from './seeded.ts'
import type { GeneratedSeries, StudyPlan } from './studies.ts'
import { EXPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'

const BASIC_TEXT_SR = '1.2.840.10008.5.1.4.1.1.88.11'

const code = (value: string, scheme: string, meaning: string): Attributes =>
  ({ CodeValue: value, CodingSchemeDesignator: scheme, CodeMeaning: meaning })

const section = (value: string, meaning: string, text: string): Attributes => ({
  RelationshipType: 'CONTAINS',
  ValueType: 'TEXT',
  ConceptNameCodeSequence: [code(value, 'DCM', meaning)],
  TextValue: text
})

export function reportSeries ({ studyUid, date, time }: StudyPlan): GeneratedSeries[] {
  const seriesUid = seededUid(studyUid, 'report')
  const sopInstanceUid = seededUid(seriesUid, 1)
  return [{
    seriesUid,
    attributes: {
      Modality: 'SR',
      SeriesInstanceUID: seriesUid,
      SeriesNumber: '1',
      SeriesDate: date,
      SeriesTime: time,
      SeriesDescription: 'Compte rendu d\'imagerie',
      Manufacturer: 'Éditeur simulé',
      ReferencedPerformedProcedureStepSequence: []
    },
    instances: [{
      sopInstanceUid,
      sopClassUid: BASIC_TEXT_SR,
      transferSyntaxUid: EXPLICIT_LE,
      attributes: {
        SOPClassUID: BASIC_TEXT_SR,
        SOPInstanceUID: sopInstanceUid,
        InstanceNumber: '1',
        ContentDate: date,
        ContentTime: time,
        CompletionFlag: 'COMPLETE',
        VerificationFlag: 'UNVERIFIED',
        PerformedProcedureCodeSequence: [],
        ValueType: 'CONTAINER',
        ContinuityOfContent: 'SEPARATE',
        ConceptNameCodeSequence: [code('18748-4', 'LN', 'Compte rendu d\'imagerie diagnostique')],
        ContentSequence: [
          section('121060', 'Antécédents', 'Suivi à un an d\'une lésion hépatique bénigne. Pas d\'allergie connue.'),
          section('121070', 'Résultats', 'Foie de taille normale, à contours réguliers. La lésion du segment IV est inchangée : 12 mm.'),
          section('121076', 'Conclusion', 'Stabilité. Contrôle à distance proposé, en dehors de tout caractère d\'urgence.')
        ]
      }
    }]
  }]
}
