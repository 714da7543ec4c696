import { expect, test } from 'vitest'
import { MAX_DETAIL, VeraError } from '../errors.ts'
import { parseMount } from '../mounts.ts'
import { parseControl } from '../protocol/control/control.ts'
import { FrameError } from '../protocol/wire/decode.ts'
import { TunnelError } from '../protocol/wire/reason.ts'
import { cutText, MAX_PEER_TEXT } from './cut-text.ts'

const LONG = 'eyJ'.repeat(60_000)

test('keeps short text and marks what it cuts', () => {
  expect(cutText('short', 5)).toBe('short')
  expect(cutText('longer', 5)).toBe('longe…')
  expect(cutText('ab😀c', 3)).toBe('ab…')
  expect(cutText('ab😀c', 4)).toBe('ab😀…')
  expect(cutText(LONG)).toHaveLength(MAX_PEER_TEXT + 1)
})

function controlError(message: unknown): string {
  try {
    parseControl(Buffer.from(JSON.stringify(message)))
  } catch (error) {
    return String(error)
  }
  throw new Error('the message is valid')
}

const announce = (service: unknown) => ({ type: 'announce', id: 1, services: [service] })

test.each([
  ['TunnelError', () => new TunnelError('protocol_error', { detail: LONG }).message],
  ['FrameError', () => new FrameError(LONG).message],
  ['a label of an announcement', () => controlError(announce({ service: 'a', labels: { [LONG]: 1 } }))],
  ['the health of an announcement', () => controlError(announce({ service: 'a', health: LONG }))],
  ['a control message without a type', () => controlError({ [LONG]: LONG })],
  ['the host of a mount', () => JSON.stringify(parseMount(`${LONG}!`))],
])('the error for %s quotes a bounded part of it', (_, message) => {
  expect(message().length).toBeLessThan(2 * MAX_PEER_TEXT)
})

test('the detail of a VeraError holds a few quoted values', () => {
  const error = new VeraError('invalid_request', LONG, { field: LONG })
  expect(error.message).toHaveLength(MAX_DETAIL + 1)
  expect(error.field).toHaveLength(MAX_PEER_TEXT + 1)
})
