import { expect, it } from 'vitest'
import { asServiceId } from './ids/row-ids.ts'
import { noDecisions, ServiceDecisions } from './service-decisions.ts'

const SHOP = asServiceId('shop')

it('counts the decisions of each service, until the service is deleted', () => {
  const decisions = new ServiceDecisions()
  expect([decisions.read(SHOP), [...decisions]]).toEqual([noDecisions(), []])
  decisions.of(SHOP).retries.refused += 2
  decisions.of(SHOP).queueFull += 1
  decisions.of(asServiceId('other')).breakerOpened += 1
  expect(decisions.read(SHOP)).toMatchObject({ queueFull: 1, retries: { refused: 2, lost: 0 } })
  decisions.forget(SHOP)
  expect([decisions.read(SHOP), [...decisions].map(([id]) => id)]).toEqual([noDecisions(), ['other']])
})
