/** What this FHIR service does. Source: HL7 FHIR R4 CapabilityStatement. */

import { IMPLEMENTATION_VERSION_NAME } from '#standards/dicom/part10.ts'
import type { Resource } from './imaging-study.ts'

const PARAMETERS = [
  ['_id', 'token', 'the Study Instance UID'],
  ['identifier', 'token', 'urn:dicom:uid|urn:oid:…, or the accession number'],
  ['patient', 'reference', 'the patient\'s identifier in the PACS, as Patient/…; or patient:identifier=system|value'],
  ['subject', 'reference', 'as patient'],
  ['started', 'date', 'prefixes eq, ge, gt, le, lt, sa, eb'],
  ['modality', 'token', 'codes of http://dicom.nema.org/resources/ontology/DCM']
] as const

/** @param base absolute URL of the service */
export function capabilityStatement (base: string, date: string): Resource {
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date,
    kind: 'instance',
    software: { name: 'DRIMbox Edge', version: IMPLEMENTATION_VERSION_NAME },
    implementation: { description: 'The imaging studies of this centre\'s PACS, for its own network', url: base },
    fhirVersion: '4.0.1',
    format: ['json', 'application/fhir+json'],
    rest: [{
      mode: 'server',
      resource: [{
        type: 'ImagingStudy',
        interaction: [{ code: 'read' }, { code: 'search-type' }],
        versioning: 'no-version',
        searchParam: PARAMETERS.map(([name, type, documentation]) => ({ name, type, documentation }))
      }]
    }]
  }
}
