import { expect, test } from 'vitest'
import { asRouteId, asServiceId } from '../common/ids/row-ids.ts'
import { difference } from './directory-difference.ts'
import { DirectoryState } from './directory-state.ts'

const SERVICE = asServiceId('s')

/** A state with one route for each text: its path, and `!` for other options. */
function stateOf(routes: readonly string[]): DirectoryState {
  const state = new DirectoryState({ policy: () => undefined, rules: () => undefined }, () => undefined)
  state.service({ id: SERVICE, name: 'shop', policy: {} })
  for (const text of routes) {
    const path = text.replace('!', '')
    const options = text.endsWith('!') ? { stripMount: true } : {}
    state.route({ id: asRouteId(path), host: 'a.test', mountPath: path, serviceId: SERVICE, options })
  }
  return state
}

function notified(before: DirectoryState, after: DirectoryState): { texts: string[]; rows: number } {
  const texts: string[] = []
  let rows = 0
  for (const notify of difference(before, after)) {
    rows += 1
    notify?.({
      routeChanged: (old, now) => void texts.push(`${old?.mountPath ?? '-'} ${now?.mountPath ?? '-'}`),
    })
  }
  return { texts, rows }
}

test('notifies of removed, changed and new routes', () => {
  expect(notified(stateOf(['/a', '/b', '/c']), stateOf(['/b', '/c!', '/d'])).texts).toEqual([
    '/a -',
    '/c /c',
    '- /d',
  ])
})

test('yields for equal rows too, so that a caller gives way during a long equal part', () => {
  const paths = Array.from({ length: 50 }, (_, index) => `/${index}`)
  expect(notified(stateOf(paths), stateOf(paths))).toEqual({ texts: [], rows: 102 })
})
