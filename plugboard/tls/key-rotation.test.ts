import { silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it } from 'vitest'
import { eventually } from '../../test/support/deadline.ts'
import { ManualClock } from '../../test/support/manual-clock.ts'
import type { SealedKey, StoredCertificate } from '../database/store/store.ts'
import { KeyRotation } from './key-rotation.ts'
import { KeySeal } from './key-seal.ts'

const [OLDER, NEWER] = ['the older secret', 'the newer secret']
const older = new KeySeal([OLDER])

function setUp(secrets: readonly string[]) {
  const clock = new ManualClock()
  const database = { away: false, asked: 0 }
  const rows: SealedKey[] = [
    { kind: 'certificate', name: 'a.test', sealedKey: older.seal('key of a', 'a.test') },
    { kind: 'certificate', name: 'plain.test', sealedKey: 'plain:key' },
    { kind: 'account', name: 'https://ca.test/', sealedKey: older.seal('account', 'https://ca.test/') },
  ]
  const day = new Date(0)
  const copy = { host: 'a.test', chain: '', sealedKey: rows[0]!.sealedKey, notAfter: day, renewAt: day }
  const copies = new Map<string, StoredCertificate>([['a.test', { ...copy, issuedAt: day }]])
  const rotation = new KeyRotation({
    store: {
      sealedKeys: () => {
        database.asked += 1
        return database.away ? Promise.reject(new Error('away')) : Promise.resolve([...rows])
      },
      replaceKey: async (kind, name, before, after) => {
        const at = rows.findIndex(row => row.kind === kind && row.name === name && row.sealedKey === before)
        if (at >= 0) rows[at] = { kind, name, sealedKey: after }
        return at >= 0
      },
    },
    copies: {
      read: async host => copies.get(host),
      write: async certificate => void copies.set(certificate.host, certificate),
    },
    seal: new KeySeal(secrets),
    clock,
    log: silentLogger,
  })
  const opened = (seal: KeySeal) => rows.map(({ name, sealedKey }) => seal.open(sealedKey, name))
  return { clock, database, copies, rotation, opened }
}

it('seals all keys with the first secret, in the database and on disk, so that the older secret can be removed', async () => {
  const { copies, rotation, opened } = setUp([NEWER, OLDER])
  const newer = new KeySeal([NEWER])
  expect(opened(newer)).toEqual([undefined, 'key', undefined])
  rotation.start()
  await eventually('all are sealed', () => (opened(newer).every(key => key !== undefined) ? true : undefined))
  await rotation.stop()
  expect(opened(newer)).toEqual(['key of a', 'key', 'account'])
  expect(newer.open(copies.get('a.test')!.sealedKey, 'a.test')).toBe('key of a')
})

it('retries when the database was unavailable', async () => {
  const { clock, database, rotation, opened } = setUp([NEWER, OLDER])
  database.away = true
  rotation.start()
  await eventually('it waits for its next try', () => (clock.pendingTimers > 0 ? true : undefined))
  database.away = false
  clock.advance(30_000)
  await eventually('all are sealed', () =>
    opened(new KeySeal([NEWER])).every(key => key !== undefined) ? true : undefined,
  )
  await rotation.stop()
  expect(clock.pendingTimers).toBe(0)
})

it('makes no query with one secret, and no change while the older one is the first', async () => {
  const single = setUp([OLDER])
  single.rotation.start()
  await single.rotation.stop()
  expect(single.database.asked).toBe(0)
  const first = setUp([OLDER, NEWER])
  const before = first.opened(older)
  first.rotation.start()
  await first.rotation.stop()
  expect(first.opened(older)).toEqual(before)
})
