import { expect, it } from 'vitest'
import { asServiceId } from '../common/ids/row-ids.ts'
import { announcedNames } from './directory-entries.ts'
import { DEFAULT_SERVICE_POLICY } from './options/service-policy.ts'

it.each([
  [[], ['app']],
  [
    ['old', 'older'],
    ['app', 'old', 'older'],
  ],
  // An administrator may write an alias twice. With duplicates, each line of the service would count twice.
  [
    ['app', 'old', 'old'],
    ['app', 'old'],
  ],
])('a service with the aliases %j is announced as %j, each name once', (aliases, names) => {
  const policy = { ...DEFAULT_SERVICE_POLICY, aliases }
  expect(announcedNames({ id: asServiceId('1'), name: 'app', policy })).toEqual(names)
})
