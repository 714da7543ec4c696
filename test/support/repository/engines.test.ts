import { expect, it } from 'vitest'
import { allowsNode, metEngines } from './engines.ts'

it('keeps engines that the pinned Node, or the oldest Node that users may have, does not meet', () => {
  const packages = {
    'node_modules/dev': { dev: true, engines: { node: '>=26' } },
    'node_modules/newer': { dev: true, engines: { node: '>=99' } },
    'node_modules/runtime': { engines: { node: '>=22.12.0' } },
    'node_modules/runtime-newer': { engines: { node: '>=26' } },
  }
  expect(metEngines({ packages })).toEqual(['node_modules/dev', 'node_modules/runtime'])
})

it.each([
  ['>=6', '26.10.0', true],
  ['>= 14.6', '14.5.9', false],
  ['^20.19.0 || >=22.12.0', '22.11.0', false],
  ['^20.19.0 || >=22.12.0', '20.20.2', true],
  ['^22.21 || >=24.9', '23.1.0', false],
  ['20 || >=22', '20.1.0', true],
  ['>=18.0.0 <22', '22.0.0', false],
  ['~22.1.0', '22.2.0', false],
  ['18.x', '18.4.1', true],
  ['6.* || 8.* || >= 10.*', '26.10.0', true],
  ['6.* || 8.*', '26.10.0', false],
  ['*', '1.0.0', true],
])('the range %s and Node %s: %s', (range, version, allowed) => {
  expect(allowsNode(range, version)).toBe(allowed)
})

it('throws for a range in an unknown syntax', () => {
  expect(() => allowsNode('16 - 18', '17.0.0')).toThrow('is not understood')
})
