// The failed attempts of a request.

import type { ExplanationBody } from '../../../admin/api-types.ts'
import { Chip } from './chip.tsx'
import { milliseconds } from './format.ts'

export function AttemptList({ attempts }: { attempts: ExplanationBody['attempts'] }) {
  if (attempts.length === 0) return null
  return (
    <section aria-label="Failed attempts">
      <h3>Failed attempts</h3>
      <ul class="list">
        {attempts.map((attempt, index) => (
          <li key={index}>
            <span class="number soft">{milliseconds(attempt.afterMs)}</span>
            <span>{attempt.telephone}</span>
            <Chip tone="bad">{attempt.cause ?? attempt.code}</Chip>
            <span class="spring">{attempt.detail}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}
