// Tests `plugboard change`, and the history and restoration of rows, against a real admin API.

import { expect, test } from 'vitest'
import { useCommandLine } from '../../../../test/support/admin-api/use-command-line.ts'
import { within } from '../../../../test/support/deadline.ts'

const { api, run, ok } = useCommandLine()

const latest = async () => (await api().call('GET', '/v1/changes?limit=1')).body.items[0].sequence as number

test('lists changes with filters, in both directions', async () => {
  await ok('service add one')
  await ok('service add two')
  const end = await latest()
  expect(await ok('change list --service one')).toContain('service one created')
  expect(await ok('change list --service one')).not.toContain('service two')
  expect(await ok(`changes --area services --after ${end - 1} -o json`)).toContain('"name": "two"')
  expect(await ok(`change list --before ${end} --limit 1`)).toContain('service one created')
  expect((await run('change list --area cars')).err).toContain('--area')
  expect(await run('change list --follow --before 3')).toMatchObject({ code: 2 })
  await ok('service rm one two')
})

test('follows new changes that fit the filters', async () => {
  const start = await latest()
  await ok('service add followed')
  await ok('route add followed.test --service followed')
  const interrupt = new AbortController()
  const { code, out } = await run(`change list --follow --area routes --after ${start} -o json`, {
    interrupted: interrupt.signal,
    onOut: text => text.includes('\n') && interrupt.abort(),
  })
  expect([code, JSON.parse(out)]).toMatchObject([0, { entity: 'route', after: { mount: 'followed.test' } }])
  await ok('route rm followed.test')
  await ok('service rm followed')
})

test('reports missing changes while it follows, and shows the later ones', async () => {
  await ok('service add first')
  const after = (await latest()) + 5
  const reported = Promise.withResolvers<void>()
  const interrupt = new AbortController()
  const running = run(`change list --follow --after ${after}`, {
    interrupted: interrupt.signal,
    onOut: text => text.includes('\n') && interrupt.abort(),
    onErr: text => text.includes('changes are missing') && reported.resolve(),
  })
  await within(reported.promise, 10_000, 'the note about missing changes')
  await ok('service add later')
  api().applied(await latest())
  const { code, out, err } = await running
  expect(err).toContain(
    'note: changes are missing: the database was restored from a backup. New changes follow',
  )
  expect([code, out]).toMatchObject([0, expect.stringContaining('service later created')])
  expect((await run(`change list --after ${after}`)).err).toContain('Read all rows again.')
  await ok('service rm first later')
})

test('undoes a change, a range, and shows the differences of a row that has changed since', async () => {
  await ok('route add app.test --service shop --create-service --strip-mount')
  await ok('route set app.test --no-strip-mount')
  const end = await latest()
  expect(await ok(`change undo ${end} --dry-run`)).toMatch(/^dry run: .*stripMount false → true\n$/)
  expect(await latest()).toBe(end)
  expect(await ok(`change undo ${end}`)).toMatch(
    /^\d+ {2}route app\.test updated: options\.stripMount false → true\n$/,
  )
  await ok('route set app.test --option allowHttp=true')
  const failed = await run(`change undo ${(await latest()) - 1}`)
  expect(failed).toMatchObject({ code: 1, out: '' })
  expect(failed.err).toContain('/options/allowHttp: unset → true')
  await ok('token issue --name laptop --service shop')
  const range = await run(`change undo ${(await latest()) - 1} --through latest`)
  expect(range.err).toMatch(/^change \d+ stays: Changes of tokens are final\./)
  expect(await run('change undo many')).toMatchObject({ code: 2 })
  expect(await run('change undo 3 --through all')).toMatchObject({ code: 2 })
  await ok('route rm app.test')
  await ok('service rm shop')
})

test('shows the history of a route, and restores it with its service', async () => {
  await ok('route add app.test --service shop --create-service')
  await ok('route rm app.test')
  await ok('service rm shop')
  expect(await ok('route history app.test')).toMatch(
    /route app\.test deleted[\s\S]*route app\.test → shop created/,
  )
  const missing = await run('route restore app.test')
  expect(missing).toMatchObject({ code: 1 })
  expect(missing.err).toContain('Service "shop" has been deleted.')
  expect(await ok('service restore shop')).toBe('service shop restored\n')
  expect(await ok('route restore app.test')).toBe('route app.test → shop restored\n')
  expect(await ok('service history shop')).toContain('service shop restored')
  expect((await run('route restore app.test')).err).toContain('is not deleted')
})
