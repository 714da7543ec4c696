import { expect, test } from 'vitest'
import { testCommand, urlOfMount } from './mount-url.ts'

test('the URL of a mount has the scheme and the port of Plugboard', () => {
  const shop = { host: 'shop.localhost', mountPath: '/cart' }
  expect(urlOfMount(shop, 'http://localhost:4000')).toBe('http://shop.localhost:4000/cart')
  expect(urlOfMount(shop, 'https://proxy.example.com/')).toBe('https://shop.localhost/cart')
  expect(urlOfMount({ host: '*', mountPath: '/' }, 'http://localhost:4000')).toBe('http://localhost:4000/')
  expect(urlOfMount({ host: '*.example.com', mountPath: '/' }, 'http://localhost:4000')).toBeUndefined()
  expect(urlOfMount(shop, '')).toBeUndefined()
})

test('the command for a test leads to Plugboard before the name of the host does', () => {
  const at = 'http://localhost:4000'
  expect(testCommand('shop.example.com/cart', at)).toBe(
    'curl -i --connect-to shop.example.com:4000:localhost:4000 http://shop.example.com:4000/cart',
  )
  expect(testCommand('*.example.com', 'https://proxy.example.com')).toBe(
    'curl -i --connect-to test.example.com:443:proxy.example.com:443 https://test.example.com/',
  )
  expect(testCommand('*/api', at)).toBe('curl -i http://localhost:4000/api')
})

test('there is no command for a mount that a shell could read as something else', () => {
  for (const mount of ['', 'shop.', '/cart', 'a b', 'a.test/$(x)', "a.test/'", 'a.test/x;y', 'a.test/`x`'])
    expect(testCommand(mount, 'http://localhost:4000'), mount).toBeUndefined()
})
