// Rows H8 and H9, and the tenants of H4 and H5: the path and the host that a request has for routes and for the backend.

import { BACKEND, type EdgeRow, type ExpectedRequest, get, refusal } from './edge-row.ts'

const FORWARDED: readonly (readonly [target: string, seen: string])[] = [
  ['//a', '//a'],
  ['/a/./b/', '/a/b/'],
  ['/a/../b?x=/../', '/b?x=/../'],
  ['/a/%2e%2E/b', '/b'],
  ['/a/.%2e/b', '/b'],
  ['/a/b/..', '/a/'],
  ['/a//../b', '/a/b'],
  ['/a%2fb/%5c..', '/a%2fb/%5c..'],
  ['/a%2F..%2Fb', '/a%2F..%2Fb'],
  ['/a;b=c/..;/d', '/a;b=c/..;/d'],
  ['/%41', '/%41'],
  ['/%41%zz%', '/%41%zz%'],
  ['/caf%c3%a9/%7e', '/caf%c3%a9/%7e'],
  ['/x/../caf%c3%a9/%7E', '/caf%c3%a9/%7E'],
  ['/...', '/...'],
  ['/?', '/?'],
  ['/a?b\\c%00', '/a?b\\c%00'],
  ['/a|b^c{d}"', '/a|b^c{d}"'],
  ['/http://other.test/', '/http://other.test/'],
]

const REFUSED = [
  '/..',
  '/a/../../b',
  '/%2e%2E/b',
  '/a%00b',
  '/a\\b',
  '/public\\..\\admin',
  '/a\\b?c',
  'http://edge.test/a\\b',
]

/** A target on a host, and the status of its response. With 200, the backend receives `seen`. */
const MATCHED: readonly (readonly [
  name: string,
  host: string,
  target: string,
  status: number,
  seen?: ExpectedRequest,
])[] = [
  ['H8 the path that is matched is the one that is forwarded', 'mounted.test', '/public/../admin', 404],
  ['H8 an escaped slash does not separate segments', 'mounted.test', '/public%2f..%2fadmin', 404],
  ['H8 a mount ends at a slash', 'mounted.test', '/publicity', 404],
  ['H8 dot segments before a mount', 'mounted.test', '/x/%2e./public/a', 200, { target: '/public/a' }],
  ['H8 an escaped slash behind a mount', 'mounted.test', '/public%2fa', 404],
  ['H8 a path of Plugboard itself', 'mounted.test', '/_plugboard/tunnel/x', 404],
  ['H8 an escaped slash is data', 'spelled.test', '/caf%C3%A9%2Fx', 404],
  ['H8 an escaped percent sign is data', 'spelled.test', '/caf%25C3%25A9', 404],
  ['H8 paths are compared with case', 'spelled.test', '/CAF%C3%A9', 404],
  ['H8 bytes outside ASCII are not an escape', 'spelled.test', '/caf\xc3\xa9', 400],
  ['H8 an escaped slash in front is data', 'spelled.test', '/%2Fcaf%C3%A9', 404],
  ['H8 another spelling of /_plugboard', 'edge.test', '/%5fplugboard/x', 404],
  ['H8 another spelling of the tunnel address', 'edge.test', '/_plug%62oard/tunne%6c', 426],
  ['H9 a wildcard does not match its own suffix', 'tenants.test', '/', 404],
]

/** A mount that is stripped: the target, its rest, and the prefix that the backend receives. */
const STRIPPED: readonly (readonly [host: string, target: string, seen: string, prefix: string])[] = [
  ['stripped.test', '/api', '/', '/api'],
  ['stripped.test', '/api?x', '/?x', '/api'],
  ['stripped.test', '/api/a/../b?x', '/b?x', '/api'],
  ['stripped.test', '/api//b', '//b', '/api'],
  ['spelled.test', '/%E3%83%91/a', '/', '/%E3%83%91/a'],
  ['spelled.test', '/%e3%83%91/%61/%7euser?x=%c3', '/%7euser?x=%c3', '/%E3%83%91/a'],
  ['spelled.test', '/%e3%83%91/./a/../a/%2f', '/%2f', '/%E3%83%91/a'],
]

const paths: readonly EdgeRow[] = [
  ...FORWARDED.map(
    ([target, seen]): EdgeRow => ({
      name: `H8 ${target} is forwarded as ${seen}`,
      send: get(target),
      received: [{ target: seen }],
    }),
  ),
  ...REFUSED.map(target => refusal(`H8 ${target} is refused`, get(target))),
  ...MATCHED.map(
    ([name, host, target, status, seen]): EdgeRow => ({
      name: `${name}: ${host}${target} gets ${status}`,
      send: get(target, '', host),
      responses: [{ status }],
      received: seen === undefined ? [] : [seen],
    }),
  ),
  ...['/caf%C3%A9', '/caf%c3%a9', '/c%61f%c3%A9/x', '/x/../caf%C3%a9', '/%63%61%66%c3%a9'].map(
    (target): EdgeRow => ({
      name: `H8 a rule protects the spelling ${target} of its path from a wildcard route to the same backend`,
      send: get(target, '', 'spelled.test'),
      responses: [{ status: 403, code: 'address_denied' }],
      received: [],
    }),
  ),
  ...STRIPPED.map(
    ([host, target, seen, prefix]): EdgeRow => ({
      name: `H8 ${host}${target} reaches the backend without its mount`,
      send: get(target, '', host),
      received: [{ target: seen, fields: { 'x-forwarded-prefix': [prefix] } }],
    }),
  ),
  {
    name: 'H8 a redirect keeps the spelling of the path behind the mount',
    send: get('/%6fld/caf%c3%a9?x=%7e', '', 'spelled.test'),
    responses: [{ status: 307, fields: { location: ['/new/caf%c3%a9?x=%7e'] } }],
    received: [],
  },
]

const HOST_OF_TELEPHONE = 'The Telephone adds the Host of the backend.'

/** The Host that the backend receives. `[]`: Plugboard sends no Host. */
const HOSTS: readonly (readonly [
  host: string,
  seen: readonly (string | RegExp)[],
  only?: EdgeRow['only'],
])[] = [
  ['edge.test', ['edge.test']],
  ['fixed.test', ['inner.example']],
  ['own.test', [BACKEND], { side: 'wire', because: HOST_OF_TELEPHONE }],
  ['own.test', [], { side: 'memory', because: HOST_OF_TELEPHONE }],
  ['exact.tenants.test', [BACKEND], { side: 'wire', because: HOST_OF_TELEPHONE }],
  ['exact.tenants.test', [], { side: 'memory', because: HOST_OF_TELEPHONE }],
  ['a.deep.tenants.test', ['inner.example']],
  ['b.a.deep.tenants.test', ['inner.example']],
  ['deep.tenants.test', ['deep.tenants.test']],
]

const hosts: readonly EdgeRow[] = [
  ...['EDGE.test', 'edge.test.', 'Edge.Test.:8080', 'edge.test:', 'edge.test:80', 'edge.test:65535'].map(
    (host): EdgeRow => ({
      name: `H9 Host ${host} is the same host, and is forwarded as received`,
      send: get('/', '', host),
      received: [{ fields: { host: [host] } }],
    }),
  ),
  ...HOSTS.map(
    ([host, seen, only]): EdgeRow => ({
      name: `H9 the backend of ${host} receives Host ${seen[0] ?? '(absent)'}`,
      send: get('/', 'X: y\r\n', host),
      received: [{ fields: { host: seen, x: ['y'], 'x-forwarded-host': [host] } }],
      ...(only && { only }),
    }),
  ),
]

const tenants: readonly EdgeRow[] = [
  ...(
    [
      ['acme.tenants.test', ['acme']],
      ['ACME.Tenants.test.:80', ['acme']],
      ['eu.acme.tenants.test', ['eu.acme']],
      ['exact.tenants.test', []],
      ['edge.test', ['evil']],
    ] as const
  ).map(
    ([host, seen]): EdgeRow => ({
      name: `H5 the backend receives tenant ${seen[0] ?? '(absent)'} of ${host}`,
      send: get('/', 'X-Tenant: evil\r\n', host),
      received: [{ fields: { 'x-tenant': seen } }],
    }),
  ),
  ...['X_Tenant', 'x.tenant', 'X-TENANT'].map(
    (name): EdgeRow => ({
      name: `H4 the alias ${name} of the tenant field is dropped`,
      send: get('/', `${name}: evil\r\n${name}: worse\r\nX: y\r\n`, 'acme.tenants.test'),
      received: [
        { fields: { 'x-tenant': ['acme'], x: ['y'], host: ['acme.tenants.test'] }, lacks: /evil|worse/ },
      ],
    }),
  ),
]

export const PATHS: readonly EdgeRow[] = [...paths, ...hosts, ...tenants]
