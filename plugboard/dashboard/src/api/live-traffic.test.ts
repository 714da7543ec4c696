import { expect, it } from 'vitest'
import { LiveTraffic } from './live-traffic.ts'

it('changes the wanted services once when a component replaces them', async () => {
  const traffic = new LiveTraffic()
  const seen: (readonly string[])[] = []
  traffic.wanted.subscribe(names => seen.push(names))
  const release = traffic.want(['shop', 'cart'])
  await Promise.resolve()
  release()
  const releaseAll = traffic.want(['shop', 'cart', 'app'])
  await Promise.resolve()
  releaseAll()
  await Promise.resolve()
  expect(seen).toEqual([[], ['cart', 'shop'], ['app', 'cart', 'shop'], []])
})

it('keeps a service that another component wants', async () => {
  const traffic = new LiveTraffic()
  const release = traffic.want(['shop'])
  traffic.want(['shop'])
  release()
  await Promise.resolve()
  expect(traffic.wanted.value).toEqual(['shop'])
})
