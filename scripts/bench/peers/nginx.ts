/**
 * nginx on files: what any server of bytes must be measured against. As Debian ships it, a worker for
 * each core and sendfile, but without its log.
 */

import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, start, type Started } from '../processes.ts'

export interface Nginx extends Started {
  /** Root of what it serves. */
  readonly url: string
  /** What it serves lies here. */
  readonly root: string
}

/** @param folder emptied first */
export async function startNginx (folder: string): Promise<Nginx> {
  await rm(folder, { recursive: true, force: true })
  const root = join(folder, 'root')
  await mkdir(root, { recursive: true })
  const port = await freePort()
  const settings = join(folder, 'nginx.conf')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `  ${name}_temp_path ${join(folder, name)};`)
  await writeFile(settings, [
    'daemon off;',
    // Started by root it would change to a user who may not read here.
    ...process.getuid?.() === 0 ? ['user root;'] : [],
    'worker_processes auto;',
    `pid ${join(folder, 'nginx.pid')};`,
    'error_log stderr warn;',
    'events { worker_connections 768; }',
    'http {',
    '  sendfile on;',
    '  tcp_nopush on;',
    '  access_log off;',
    '  keepalive_requests 100000000;',
    '  default_type application/dicom;',
    ...temporary,
    `  server { listen 127.0.0.1:${port}; root ${root}; }`,
    '}',
    ''
  ].join('\n'))
  const peer = await start('nginx', 'nginx', ['-p', folder, '-c', settings, '-e', 'stderr'], { ready: port })
  return { ...peer, url: `http://127.0.0.1:${port}`, root }
}
