import { expect, it } from 'vitest'
import { terminalLogger } from './terminal-logger.ts'

function linesOf(use: (logger: ReturnType<typeof terminalLogger>) => void): string[] {
  const lines: string[] = []
  use(terminalLogger({ out: text => lines.push(text), colours: false }))
  return lines
}

it('shows warnings and errors with their details, and no other lines', () => {
  const lines = linesOf(logger => {
    logger.debug('dialing')
    logger.info('connected')
    logger.child({ service: 'web' }).warn('the receiver refuses', {
      url: 'http://127.0.0.1:4318',
      detail: 'status 404',
      remedy: 'Check otlpEndpoint.',
    })
    logger.error('the metrics could not be collected', { err: new Error('no memory') })
    logger.warn('alone')
  })
  expect(lines).toEqual([
    '! the receiver refuses: http://127.0.0.1:4318, status 404. Check otlpEndpoint.\n',
    '✗ the metrics could not be collected: no memory\n',
    '! alone\n',
  ])
})

it('shows neither secrets nor control characters', () => {
  const [line] = linesOf(logger =>
    logger.warn('failed', { url: 'http://me:hunter2-secret@127.0.0.1/', detail: 'a\u001b[2Jb' }),
  )
  expect(line).not.toContain('hunter2-secret')
  expect(line).not.toContain('\u001b')
})
