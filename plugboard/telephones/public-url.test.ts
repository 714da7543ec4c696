import { expect, it } from 'vitest'
import { publicUrls } from './public-url.ts'

it.each([
  ['app.localhost', '/', 'http://app.localhost:4000/'],
  ['app.localhost', '/api', 'http://app.localhost:4000/api'],
  ['*', '/hooks', 'http://localhost:4000/hooks'],
  ['*.example.com', '/', 'http://*.example.com:4000/'],
])('%s%s', (host, mountPath, url) => {
  expect(publicUrls('http://localhost:4000')({ host, mountPath })).toBe(url)
})

it('leaves the usual port out', () => {
  expect(publicUrls('https://example.com')({ host: 'a.example.com', mountPath: '/' })).toBe(
    'https://a.example.com/',
  )
})
