// A chart over time (uPlot), with a legend of the values at the cursor, a mark for each change on the time axis, and the same data as
// a table for people who do not see the chart.

import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { clockTime } from '../parts/format.ts'
import { useColors } from './use-colors.ts'

export interface ChartLine {
  readonly name: string
  /** The number of a colour of base.css. */
  readonly color: 1 | 2 | 3 | 4 | 5 | 6
  readonly values: readonly (number | null)[]
}

export interface ChartMark {
  readonly id: string
  /** Seconds since 1970. */
  readonly at: number
  readonly text: string
}

export interface TimeChartProps {
  readonly label: string
  /** Seconds since 1970, rising. */
  readonly times: readonly number[]
  readonly lines: readonly ChartLine[]
  /** True when each line lies on the one before. */
  readonly isStacked?: boolean
  readonly format: (value: number) => string
  readonly marks?: readonly ChartMark[]
  readonly onMark?: (id: string) => void
}

const HEIGHT_PX = 190
const AXIS_PX = 28
const LEFT_PX = 68
/** The width of a label of the time axis with seconds, and a gap. */
const LABEL_PX = 72
/** Half of the last label of the time axis. */
const RIGHT_PX = 24
/** All charts of a page have one cursor. */
const SYNC_KEY = 'time'

export function TimeChart(props: TimeChartProps) {
  const { label, times, lines, isStacked = false, format, marks = [], onMark } = props
  const figure = useRef<HTMLElement>(null)
  const box = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot | undefined>(undefined)
  const [width, setWidth] = useState(0)
  const [cursor, setCursor] = useState<number | undefined>(undefined)
  const shape = lines.map(({ name, color }) => `${name}${color}`).join()
  const formatted = useRef(format)
  formatted.current = format

  useEffect(() => {
    const element = box.current
    if (element === null) return
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])

  const colors = useColors(figure)
  // `shape` stands for the lines, and `colors` for their colours
  useEffect(() => {
    const element = box.current
    if (element === null || width === 0) return
    const color = (name: string): string => resolvedColor(element, name)
    const created = new uPlot(
      {
        width,
        height: HEIGHT_PX,
        padding: [8, RIGHT_PX, 0, 0],
        cursor: { y: false, points: { size: 5 }, sync: { key: SYNC_KEY } },
        legend: { show: false },
        scales: { x: { time: true }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] } },
        axes: [
          {
            size: AXIS_PX,
            space: LABEL_PX,
            stroke: color('--soft'),
            grid: { show: false },
            ticks: { show: false },
            values: (_, values) => values.map(time => axisTime(time, values)),
          },
          {
            size: LEFT_PX,
            stroke: color('--soft'),
            grid: { stroke: color('--line'), width: 1 },
            ticks: { show: false },
            values: (_, values) => values.map(value => formatted.current(value)),
          },
        ],
        series: [
          {},
          ...lines.map(({ name, color: number }) => ({
            label: name,
            stroke: color(`--chart-${number}`),
            width: isStacked ? 0 : 1.5,
            points: { show: false },
            spanGaps: false,
            ...(isStacked ? { fill: color(`--chart-${number}`) } : {}),
          })),
        ],
        hooks: { setCursor: [plot => setCursor(plot.cursor.idx ?? undefined)] },
      },
      dataOf(times, lines, isStacked),
      element,
    )
    chart.current = created
    return () => {
      created.destroy()
      chart.current = undefined
    }
  }, [width, shape, isStacked, colors])

  useEffect(() => {
    chart.current?.setData(dataOf(times, lines, isStacked))
  }, [times, lines, isStacked])

  const at = cursor ?? lastIndex(lines)
  const [from = 0, until = 1] = [times[0], times.at(-1)]
  const plotWidth = width - LEFT_PX - RIGHT_PX
  return (
    <figure class="chart" aria-label={label} ref={figure}>
      <div ref={box} aria-hidden="true" style={{ minHeight: `${HEIGHT_PX}px` }} />
      {width > 0 && (
        <div class="marks">
          {marks
            .filter(mark => mark.at >= from && mark.at <= until)
            .map(mark => (
              <button
                key={mark.id}
                type="button"
                style={{
                  left: `${LEFT_PX + ((mark.at - from) / Math.max(1, until - from)) * plotWidth}px`,
                  top: `${HEIGHT_PX - AXIS_PX - 7}px`,
                }}
                title={mark.text}
                aria-label={`Change: ${mark.text}`}
                onClick={() => onMark?.(mark.id)}
              />
            ))}
        </div>
      )}
      <figcaption class="legend">
        {at !== undefined && times[at] !== undefined && (
          <span class="number">{clockTime(times[at] * 1000)}</span>
        )}
        {lines.map(({ name, color, values }) => (
          <span key={name}>
            <i style={{ background: `var(--chart-${color})` }} />
            {name} <b>{at === undefined ? '–' : valueText(values[at], format)}</b>
          </span>
        ))}
      </figcaption>
      <details class="small">
        <summary class="soft">As a table</summary>
        <ChartTable {...props} />
      </details>
    </figure>
  )
}

/** Rows of the table: the newest ones. */
const TABLE_ROWS = 30

function ChartTable({ label, times, lines, format }: TimeChartProps) {
  const first = Math.max(0, times.length - TABLE_ROWS)
  const rows = times.slice(first).map((time, offset) => ({ time, index: first + offset }))
  return (
    <section
      class="table-box"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: people without a mouse scroll the table
      tabIndex={0}
      aria-label={`${label}, table`}
    >
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {lines.map(({ name }) => (
              <th key={name} scope="col" class="end">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.reverse().map(({ time, index }) => (
            <tr key={time}>
              <td class="number">{clockTime(time * 1000)}</td>
              {lines.map(({ name, values }) => (
                <td key={name} class="end">
                  {valueText(values[index], format)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

/** A canvas cannot read `light-dark()`, so the browser computes the colour. */
function resolvedColor(element: HTMLElement, name: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${name})`
  element.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

/** Hours and minutes; with seconds when the marks of the axis are closer than a minute. */
function axisTime(time: number, all: readonly number[]): string {
  const text = clockTime(time * 1000)
  const step = all.length > 1 ? (all[1] as number) - (all[0] as number) : 60
  return step < 60 ? text : text.slice(0, 5)
}

const valueText = (value: number | null | undefined, format: (value: number) => string): string =>
  value === null || value === undefined ? '–' : format(value)

function lastIndex(lines: readonly ChartLine[]): number | undefined {
  const [first] = lines
  if (first === undefined) return undefined
  const index = first.values.findLastIndex(value => value !== null)
  return index === -1 ? undefined : index
}

/** A stacked chart paints its sums from the top to the bottom, so that each area covers the rest of those before. */
function dataOf(
  times: readonly number[],
  lines: readonly ChartLine[],
  isStacked: boolean,
): uPlot.AlignedData {
  if (!isStacked) return [[...times], ...lines.map(({ values }) => [...values])]
  const sums = lines.map((_, line) =>
    times.map((_, index) => {
      const parts = lines.slice(line).map(({ values }) => values[index] ?? null)
      return parts.some(part => part === null)
        ? null
        : parts.reduce<number>((sum, part) => sum + (part ?? 0), 0)
    }),
  )
  return [[...times], ...sums]
}
