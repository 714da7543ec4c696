import { expect, it } from 'vitest'
import { parseTarget, targetText } from './backend-target.ts'

it.each([
  ['3000', 'http://localhost:3000'],
  ['example.com:8080', 'http://example.com:8080'],
  ['http://Example.com', 'http://example.com'],
  ['http://example.com:80/', 'http://example.com'],
  ['https://example.com', 'https://example.com'],
  ['https://example.com:80', 'https://example.com:80'],
  ['http://[::1]:3000', 'http://[::1]:3000'],
  ['[::1]:3000', 'http://[::1]:3000'],
  ['unix:/run/app.sock', 'unix:/run/app.sock'],
  ['unix:///run/app.sock', 'unix:/run/app.sock'],
  ['h2c://localhost:50051', 'h2c://localhost:50051'],
  ['H2C://Example.com:80', 'h2c://example.com'],
  ['h2c://[::1]:50051/', 'h2c://[::1]:50051'],
  ['h2://example.com', 'h2://example.com'],
  ['h2://example.com:443', 'h2://example.com'],
  ['h2://example.com:80', 'h2://example.com:80'],
  ['unix+h2c:/run/app.sock', 'unix+h2c:/run/app.sock'],
  ['h2c+unix:///run/app.sock', 'unix+h2c:/run/app.sock'],
])('%s is %s', (text, meaning) => {
  expect(targetText(parseTarget(text))).toBe(meaning)
})

it.each([
  ['0', /port/],
  ['99999', /port/],
  ['localhost:99999', /port/],
  ['localhost:x', /port/],
  ['http://a:b@c', /user name/],
  ['http://a/path', /path/],
  ['http://a?b', /path/],
  ['ftp://a', /scheme/],
  ['unix:app.sock', /absolute/],
  ['unix+h2c:app.sock', /unix\+h2c:\/path/],
  ['h2c://a:99999', /port/],
  ['h2c://a/path', /path/],
  ['h2://a:b@c', /user name/],
  ['grpc://localhost:50051', /write h2c:\/\/localhost:50051/],
  ['grpcs://example.com', /write h2:\/\/example.com/],
  ['h3://a', /h2c:\/\/ \(cleartext\)/],
  ['', /target/],
  ['http://a b', /target/],
])('%s is refused with the form to write instead', (text, message) => {
  expect(() => parseTarget(text)).toThrow(message)
})
