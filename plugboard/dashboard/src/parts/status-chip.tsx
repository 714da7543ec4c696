// The status of a response.

import { Chip, type Tone } from './chip.tsx'

export function StatusChip({ status, code }: { status: number; code?: string | undefined }) {
  const tone: Tone = status >= 500 ? 'bad' : status >= 400 ? 'warn' : status >= 300 ? 'plain' : 'good'
  return (
    <Chip tone={tone} title={code ?? ''}>
      {status} {code ?? ''}
    </Chip>
  )
}
