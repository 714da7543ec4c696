// The used part of a quota.

import { Chip } from '../../parts/chip.tsx'

export function UsedChip({ percent }: { percent: number }) {
  return <Chip tone={percent >= 90 ? 'bad' : percent >= 60 ? 'warn' : 'plain'}>{percent} % used</Chip>
}
