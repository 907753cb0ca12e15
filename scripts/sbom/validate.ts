/**
 * Compares a document with CycloneDX's own JSON schema, 1.6, strictly: a word it doesn't know is an
 * error. The schema is the one that the CycloneDX project ships in its library.
 */

import { Spec, Validation } from '@cyclonedx/cyclonedx-library'

/** @throws Error naming what the schema does not accept */
export async function validate (text: string): Promise<void> {
  const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6)
  const slip = await validator.validate(text)
  if (slip !== null) throw new Error(`not CycloneDX 1.6: ${JSON.stringify(slip).slice(0, 2000)}`)
}
