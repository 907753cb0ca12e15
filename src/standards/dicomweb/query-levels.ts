/**
 * Which attributes belong to which level of a search, and which are given without being asked for.
 *
 * Source: DICOM PS3.18 Tables 10.6.3-3, -4 and -5 (given by default); PS3.4 §C.6.1.1 and §C.6.2.1
 * (keys of the levels; patients' attributes belong to the study in Study Root).
 * An attribute in none of these tables is asked at the level of the search itself.
 */

import assert from 'node:assert/strict'
import { tagOf, type Tag } from '#standards/dicom/dictionary.ts'

/** Query/Retrieve Level (0008,0052). */
export type Level = 'STUDY' | 'SERIES' | 'IMAGE'

/** From the top; each level has its unique key. */
export const LEVELS: readonly Level[] = ['STUDY', 'SERIES', 'IMAGE']

export const UNIQUE_KEY: Readonly<Record<Level, Tag>> = { STUDY: '0020000D', SERIES: '0020000E', IMAGE: '00080018' }

/** Returned unasked. Retrieve URL (0008,1190) is ours to add; a dot leads into a sequence. */
export const DEFAULTS: Readonly<Record<Level, readonly (readonly Tag[])[]>> = {
  STUDY: paths(`
    StudyDate StudyTime AccessionNumber InstanceAvailability ModalitiesInStudy ReferringPhysicianName
    TimezoneOffsetFromUTC PatientName PatientID PatientBirthDate PatientSex StudyInstanceUID StudyID
    NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances`),
  SERIES: paths(`
    Modality TimezoneOffsetFromUTC SeriesDescription SeriesInstanceUID SeriesNumber
    NumberOfSeriesRelatedInstances PerformedProcedureStepStartDate PerformedProcedureStepStartTime
    RequestAttributesSequence.ScheduledProcedureStepID RequestAttributesSequence.RequestedProcedureID`),
  IMAGE: paths(`
    SOPClassUID SOPInstanceUID InstanceAvailability TimezoneOffsetFromUTC InstanceNumber Rows Columns
    BitsAllocated NumberOfFrames`)
}

/** Given besides on `includefield=all`: the optional keys that PACS in the field are known to answer. */
export const OPTIONAL: Readonly<Record<Level, readonly (readonly Tag[])[]>> = {
  STUDY: paths(`
    StudyDescription ProcedureCodeSequence NameOfPhysiciansReadingStudy AdmittingDiagnosesDescription
    SOPClassesInStudy IssuerOfPatientID OtherPatientIDsSequence OtherPatientNames PatientBirthTime
    PatientAge PatientSize PatientWeight EthnicGroup Occupation AdditionalPatientHistory
    PatientComments IssuerOfAccessionNumberSequence NumberOfPatientRelatedStudies
    NumberOfPatientRelatedSeries NumberOfPatientRelatedInstances`),
  SERIES: paths(`
    SeriesDate SeriesTime BodyPartExamined Laterality ProtocolName OperatorsName
    PerformingPhysicianName Manufacturer ManufacturerModelName StationName InstitutionName
    InstitutionalDepartmentName PerformedProcedureStepID PerformedProcedureStepDescription`),
  IMAGE: paths(`
    InstanceCreationDate InstanceCreationTime AcquisitionDate AcquisitionTime AcquisitionNumber
    ContentDate ContentTime ImageType ImageComments PhotometricInterpretation BitsStored
    SamplesPerPixel AvailableTransferSyntaxUID ConceptNameCodeSequence CompletionFlag
    VerificationFlag ContentLabel ContentDescription`)
}

/** What every level has, hence none alone. */
const OF_ANY_LEVEL = new Set(paths('InstanceAvailability TimezoneOffsetFromUTC').map(([tag]) => tag))

const LEVEL_OF: ReadonlyMap<Tag, Level> = new Map(
  LEVELS.flatMap(level => [...DEFAULTS[level], ...OPTIONAL[level]].map(([tag]) => [tag as Tag, level] as const))
    .filter(([tag]) => !OF_ANY_LEVEL.has(tag))
)

/** The level to which a top-level attribute belongs; undefined when no table tells. */
export function levelOf (tag: Tag): Level | undefined {
  return LEVEL_OF.get(tag)
}

function paths (words: string): Tag[][] {
  return words.trim().split(/\s+/).map(word => word.split('.').map(keyword => {
    const tag = tagOf(keyword)
    assert(tag !== undefined, keyword)
    return tag
  }))
}
