/** Looks at everything once: facts, kernel, certificate, gateway. */

import { join } from 'node:path'
import { readCertificate } from './certificate.ts'
import { readFacts } from './facts.ts'
import { askGateway } from './gateway.ts'
import { readMachine } from './machine.ts'
import { report, type Report } from './report.ts'

/** What the front shows now, and where it is kept: the first is a copy in memory. */
const CERTIFICATES = ['/run/drimbox-front-tls/front.crt', '/var/lib/drimbox-keys/front.crt']

/**
 * @param root before every path; empty on a box
 * @param prefix of the gateway's DICOMweb: its setting `http.prefix`
 */
export async function look (root: string, prefix: string): Promise<Report> {
  const at = (path: string): string => join(root, '/', path)
  const [facts, machine, certificate, gateway] = await Promise.all([
    readFacts(at('/run/drimbox-facts')),
    readMachine(root),
    readCertificate(CERTIFICATES.map(at)),
    askGateway(at('/run/drimbox/http.sock'), prefix)
  ])
  return report({ facts, machine, certificate, gateway, now: Date.now() })
}
