/** A root tree that breaks a rule of the appliance is refused, and says by what. */

import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'tap'
import { osImage, skipWithoutBuilder } from '#test/fixtures/image-builder.ts'

test('a root tree is checked', { skip: skipWithoutBuilder(), timeout: 300_000 }, async t => {
  const tree = mkdtempSync(join(tmpdir(), 'drimbox-tree-'))
  t.teardown(() => { rmSync(tree, { recursive: true, force: true }) })
  chmodSync(tree, 0o755)
  const put = (path: string, content: string, mode = 0o644) => {
    const file = join(tree, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    chmodSync(file, mode)
  }
  mkdirSync(join(tree, 'etc/systemd/system/multi-user.target.wants'), { recursive: true })
  put('usr/lib/systemd/system/good.service', '[Service]\nExecStart=/usr/bin/script\nUser=gateway\nSupplementaryGroups=gateway tss\n')
  put('usr/lib/systemd/system/user@.service', '[Service]\nUser=%i\n')
  put('usr/lib/udev/rules.d/50-default.rules', 'KERNEL=="tpm0", OWNER="gateway", GROUP="tss"\n')
  put('usr/lib/tmpfiles.d/own.conf', 'd /run/a 0755 gateway tss -\nd /run/b - - - -\n# d /run/c 0755 nobody-at-all nobody-at-all\n')
  put('usr/lib/sysusers.d/00-drimbox.conf', 'g tss 900 -\ng gateway 901 -\nu gateway 901:901 "gateway" /\n')
  put('etc/passwd', 'gateway:x:901:901::/:/usr/sbin/nologin\n')
  put('etc/group', 'gateway:x:901:\ntss:x:900:\n')
  put('usr/bin/dash', '')
  symlinkSync('dash', join(tree, 'usr/bin/sh'))
  put('usr/bin/script', '#!/bin/sh\n', 0o755)
  symlinkSync('usr/bin', join(tree, 'bin'))
  symlinkSync('/usr/lib/systemd/system/good.service', join(tree, 'etc/systemd/system/multi-user.target.wants/good.service'))
  const check = async () => await osImage('check-tree.sh', [tree])

  const good = await check()
  t.equal(good.code, 0, good.error)

  put('usr/bin/mighty', 'x', 0o4755)
  put('usr/bin/open', 'x', 0o777)
  put('usr/bin/perl', 'x')
  put('usr/bin/tool', '#!/usr/bin/perl5\n', 0o755)
  put('usr/lib/systemd/system/lost.service', '[Service]\nExecStart=-/usr/bin/nowhere --now\n')
  put('usr/lib/systemd/system/lost.service.d/user.conf', '[Service]\nUser=unknown\nSupplementaryGroups=tss strangers\n')
  put('etc/passwd', 'gateway:x:901:901::/:/usr/sbin/nologin\ngames:x:5:60::/:/usr/sbin/nologin\n')
  put('etc/udev/rules.d/60-disk.rules', 'SUBSYSTEM=="block", GROUP:="disk"\n')
  put('usr/lib/tmpfiles.d/other.conf', 'd /run/d 0755 tss other -\n')
  symlinkSync('/usr/lib/systemd/system/lost.service', join(tree, 'etc/systemd/system/multi-user.target.wants/lost.service'))
  // Any program of this machine that wants libraries, none of which are in the tree.
  copyFileSync('/usr/bin/curl', join(tree, 'usr/bin/program'))
  const { code, error } = await check()
  t.equal(code, 1)
  for (const finding of ['set-uid or set-gid: usr/bin/mighty', 'everyone may write: usr/bin/open', 'must not be here: usr/bin/perl',
    'interpreter missing: /usr/bin/perl5, wanted by usr/bin/tool', 'program missing: /usr/bin/nowhere, started by lost.service',
    'library missing: libc.so.6, wanted by usr/bin/program',
    'not in sysusers.d: games, in etc/passwd',
    'no such user: unknown, named by usr/lib/systemd/system/lost.service.d/user.conf', 'no such group: strangers, named by usr/lib/systemd/system/lost.service.d/user.conf',
    'no such group: disk, named by etc/udev/rules.d/60-disk.rules', 'no such user: tss, named by usr/lib/tmpfiles.d/other.conf', 'no such group: other, named by usr/lib/tmpfiles.d/other.conf']) {
    t.match(error, finding, finding)
  }
  t.equal([...error.matchAll(/no such (?:user|group)/g)].length, 5, 'and no other name')
})
