import { expect, test } from 'vitest'
import { OpenApiCheck } from './openapi-check.ts'

const check = new OpenApiCheck({
  paths: {
    '/things/{id}': {
      get: {
        responses: {
          200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } } },
          204: {},
        },
      },
    },
  },
  components: {
    schemas: {
      Thing: {
        type: 'object',
        properties: { name: { $ref: '#/components/schemas/Name' } },
        required: ['name'],
        additionalProperties: false,
      },
      Name: { type: ['string', 'null'], minLength: 2 },
    },
  },
})
const actual = { status: 200, contentType: 'application/json', body: { name: 'ab' } as unknown }

test.each([
  ['status', { ...actual, status: 201 }],
  ['media type', { ...actual, contentType: 'text/html' }],
  ['missing field', { ...actual, body: {} }],
  ['extra field', { ...actual, body: { name: 'ab', secret: 1 } }],
  ['wrong field', { ...actual, body: { name: 'a' } }],
  ['body in a response without a body', { ...actual, status: 204 }],
])('catches a wrong %s', (_, wrong) => {
  expect(() => check.check('GET', '/things/1', wrong)).toThrow('GET /things/{id}')
})

test('accepts documented responses', () => {
  check.check('GET', '/things/1', actual)
  check.check('GET', '/things/1', { ...actual, body: { name: null } })
  check.check('GET', '/things/1', { status: 204, contentType: undefined, body: undefined })
  check.check('GET', '/elsewhere', { ...actual, status: 404 })
})
