/**
 * What a series of a modality may hold, for a PACS that doesn't name the SOP classes of its instances
 * (the key is optional at image level, PS3.4 Table C.6-5): C-GET must announce them all the same.
 *
 * Source: DICOM PS3.4 Table B.5-1. Few enough for each modality that every class finds room with every
 * transfer syntax within the 128 presentation contexts of an association.
 */

const ROOT = '1.2.840.10008.5.1.4.1.1.'
/** 7, secondary captures, lie among the images of any modality. */
const CLASSES: Readonly<Record<string, readonly string[]>> = {
  CR: ['1', '1.1', '7'],
  DX: ['1.1', '1.1.1', '7'],
  MG: ['1.2', '1.2.1', '13.1.3', '7'],
  IO: ['1.3', '1.3.1', '7'],
  PX: ['1.1', '1.3', '7'],
  CT: ['2', '2.1', '7'],
  MR: ['4', '4.1', '4.2', '7'],
  US: ['6.1', '3.1', '6.2', '7'],
  IVUS: ['6.1', '3.1', '7'],
  NM: ['20', '7'],
  PT: ['128', '130', '7'],
  XA: ['12.1', '12.1.1', '13.1.1', '7'],
  RF: ['12.2', '12.2.1', '7'],
  ES: ['77.1.1', '77.1.1.1', '7'],
  XC: ['77.1.4', '77.1.4.1', '7'],
  GM: ['77.1.2', '77.1.2.1', '7'],
  SM: ['77.1.6', '77.1.3', '7'],
  OP: ['77.1.5.1', '77.1.5.2', '7'],
  OPT: ['77.1.5.4', '7'],
  ECG: ['9.1.1', '9.1.2', '9.1.3'],
  HD: ['9.2.1'],
  RTIMAGE: ['481.1', '7'],
  RTDOSE: ['481.2'],
  RTSTRUCT: ['481.3'],
  RTPLAN: ['481.5', '481.8'],
  RTRECORD: ['481.4', '481.6', '481.7'],
  SR: ['88.11', '88.22', '88.33', '88.67'],
  KO: ['88.59'],
  PR: ['11.1', '11.2'],
  SEG: ['66.4'],
  REG: ['66.1', '66.3'],
  DOC: ['104.1', '104.2'],
  OT: ['7.2', '7.3', '7.4', '7'],
  SC: ['7.2', '7.3', '7.4', '7']
}

/** @param modality undefined, or one that isn't known here: every class of this table */
export function classesOfModality (modality: string | undefined): string[] {
  const own = modality !== undefined && Object.hasOwn(CLASSES, modality) ? CLASSES[modality] : Object.values(CLASSES).flat()
  return [...new Set(own)].map(suffix => ROOT + suffix)
}
