// A small line without axes: the course of a number. Gaps are intervals without data.

const WIDTH = 64
const HEIGHT = 18

export function Sparkline({ values }: { values: readonly (number | null)[] }) {
  return (
    <svg
      class="sparkline"
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      aria-hidden="true"
    >
      <path d={pathOf(values)} />
    </svg>
  )
}

function pathOf(values: readonly (number | null)[]): string {
  const most = Math.max(1, ...values.map(value => value ?? 0))
  const step = WIDTH / Math.max(1, values.length - 1)
  let path = ''
  let isOpen = false
  for (const [index, value] of values.entries()) {
    if (value !== null) {
      const y = HEIGHT - 1 - (value / most) * (HEIGHT - 2)
      path += `${isOpen ? 'L' : 'M'}${(index * step).toFixed(1)} ${y.toFixed(1)}`
      // A single point between gaps is a dot.
      if (!isOpen) path += 'h0.1'
    }
    isOpen = value !== null
  }
  return path
}
