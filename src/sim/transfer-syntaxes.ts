/**
 * The transfer syntaxes that the simulated PACS holds (PS3.6 Table A-1).
 */

export const IMPLICIT_LE = '1.2.840.10008.1.2'
export const EXPLICIT_LE = '1.2.840.10008.1.2.1'
export const JPEG_BASELINE = '1.2.840.10008.1.2.4.50'
export const JPEG_LOSSLESS = '1.2.840.10008.1.2.4.70'
export const JPEG_LS_LOSSLESS = '1.2.840.10008.1.2.4.80'
