// The form of a route. Rules without a field here are edited as YAML.

import type { FormGroup } from '../../forms/form-fields.tsx'

/** `services`: names that the form offers. */
export const routeForm = (services: readonly string[]): readonly FormGroup[] => [
  {
    title: 'Route',
    fields: [
      { path: ['mount'], label: 'Mount', kind: 'text', placeholder: 'shop.example.com/cart' },
      { path: ['service'], label: 'Service', kind: 'null-text', suggestions: services },
      {
        path: ['options', 'stripMount'],
        label: 'The backend gets the path without the mount',
        kind: 'flag',
      },
      { path: ['options', 'allowHttp'], label: 'Serve plain HTTP too', kind: 'flag' },
      {
        path: ['options', 'tenantHeader'],
        label: 'Header field for the part of the host that * matches',
        kind: 'text',
        placeholder: 'X-Tenant',
      },
    ],
  },
  {
    title: 'Access',
    fields: [
      {
        path: ['options', 'access', 'allow'],
        label: 'Only these addresses, one in each line',
        kind: 'lines',
        placeholder: '10.0.0.0/8',
      },
      {
        path: ['options', 'access', 'deny'],
        label: 'Refused addresses, one in each line',
        kind: 'lines',
        placeholder: '203.0.113.7',
      },
      {
        path: ['options', 'cors', 'origins'],
        label: 'Origins that may send requests from browsers, one in each line',
        kind: 'lines',
        placeholder: 'https://app.example.com',
      },
    ],
  },
  {
    title: 'Redirect',
    fields: [
      {
        path: ['options', 'redirect', 'to'],
        label: 'Redirect to',
        kind: 'text',
        placeholder: 'https://www.example.com/',
      },
      {
        path: ['options', 'redirect', 'status'],
        label: 'Status of the redirect',
        kind: 'number',
        placeholder: '307',
      },
    ],
  },
  {
    title: 'Fixed response',
    fields: [
      { path: ['options', 'respond', 'status'], label: 'Status', kind: 'number', placeholder: '200' },
      {
        path: ['options', 'respond', 'body'],
        label: 'Body',
        kind: 'text',
        placeholder: 'Back at noon.',
      },
    ],
  },
]
