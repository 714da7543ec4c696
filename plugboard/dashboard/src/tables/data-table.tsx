// A table whose rows can be opened. With many rows, only the visible ones are in the document (@tanstack/virtual-core).

import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core'
import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'

export interface Column<Row> {
  readonly name: string
  readonly cell: (row: Row) => ComponentChildren
  readonly align?: 'end'
  readonly isWide?: boolean
  /** Stays in view while the table scrolls to the side. */
  readonly isPinned?: boolean
  /** Width in CSS. When each column has one, the columns keep their widths, and each row has one line. */
  readonly width?: string
}

export interface DataTableProps<Row> {
  /** Of the table, for screen readers. */
  readonly label: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
  readonly selected?: string | undefined
  readonly onOpen?: ((row: Row) => void) | undefined
  /** Called before the last rows come into view. */
  readonly onEnd?: (() => void) | undefined
  /** Called with the rows that are in the document. */
  readonly onVisible?: ((rows: readonly Row[]) => void) | undefined
}

/** From this number of rows on, the table is virtual. */
const MANY = 200
/** Rows of a table with set widths have one height, so it can be virtual earlier: 200 new rows at once would delay typing in a search. */
const MANY_FIXED = 60
const ROW_PX = 35
/** A virtual table asks for further rows when fewer than this number are left, so that they are there when a person scrolls on. */
const ROWS_AHEAD = 150

export function DataTable<Row>(props: DataTableProps<Row>) {
  const { label, columns, rows, keyOf, selected, onOpen, onEnd, onVisible } = props
  const box = useRef<HTMLElement>(null)
  const isFixed = columns.every(({ width }) => width !== undefined)
  const isVirtual = rows.length > (isFixed ? MANY_FIXED : MANY)
  const visible = useVisibleRows(box, rows.length, isVirtual)
  const { start, end } = visible
  useEffect(() => {
    if (end >= rows.length - (isVirtual ? ROWS_AHEAD : 5)) onEnd?.()
  }, [end, rows.length, isVirtual, onEnd])
  useEffect(() => onVisible?.(rows.slice(start, end)), [rows, start, end, onVisible])

  return (
    // When rows cannot have the focus, the box can, so that the keyboard can scroll it.
    <section
      class={isVirtual ? 'table-box tall' : 'table-box'}
      part="table"
      aria-label={label}
      tabIndex={onOpen === undefined ? 0 : undefined}
      ref={box}
    >
      <table aria-label={label} aria-rowcount={rows.length} class={isFixed ? 'fixed' : undefined}>
        {isFixed && (
          <colgroup>
            {columns.map(({ name, width }) => (
              <col key={name} style={{ width }} />
            ))}
          </colgroup>
        )}
        <thead>
          <tr>
            {columns.map(({ name, align, isPinned }) => (
              <th key={name} scope="col" class={classOf(align, isPinned && 'pinned')}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody onKeyDown={moveBetweenRows}>
          {visible.before > 0 && <Spacer height={visible.before} />}
          {rows.slice(start, end).map((row, index) => {
            const key = keyOf(row)
            return (
              <tr
                key={key}
                class={onOpen === undefined ? undefined : 'selectable'}
                tabIndex={onOpen === undefined ? undefined : 0}
                aria-rowindex={start + index + 1}
                aria-selected={onOpen === undefined ? undefined : key === selected}
                onClick={event => {
                  if (!(event.target as Element).closest('a, button, input')) onOpen?.(row)
                }}
                onKeyDown={event => {
                  if (event.key === 'Enter' && event.target === event.currentTarget) onOpen?.(row)
                }}
              >
                {columns.map(({ name, cell, align, isWide, isPinned }) => (
                  <td key={name} class={classOf(align, isWide && 'wide', isPinned && 'pinned')}>
                    {cell(row)}
                  </td>
                ))}
              </tr>
            )
          })}
          {visible.after > 0 && <Spacer height={visible.after} />}
        </tbody>
      </table>
    </section>
  )
}

function classOf(...names: readonly (string | false | undefined)[]): string | undefined {
  return names.filter(Boolean).join(' ') || undefined
}

const Spacer = ({ height }: { height: number }) => (
  <tr>
    <td class="spacer" style={{ height: `${height}px` }} />
  </tr>
)

/** `j`, `k` and the arrows move the focus between the rows. */
function moveBetweenRows(event: KeyboardEvent): void {
  const row = (event.target as Element).closest('tr')
  if (row !== event.target) return
  const next = event.key === 'j' || event.key === 'ArrowDown' ? row?.nextElementSibling : undefined
  const previous = event.key === 'k' || event.key === 'ArrowUp' ? row?.previousElementSibling : undefined
  const target = next ?? previous
  if (!(target instanceof HTMLElement) || target.tabIndex < 0) return
  event.preventDefault()
  target.focus()
}

interface VisibleRows {
  readonly start: number
  readonly end: number
  /** Heights of the rows that are not in the document, px. */
  readonly before: number
  readonly after: number
}

function useVisibleRows(
  box: { readonly current: HTMLElement | null },
  total: number,
  isVirtual: boolean,
): VisibleRows {
  const [, setVersion] = useState(0)
  const virtualizer = useMemo(
    () =>
      new Virtualizer<HTMLElement, Element>({
        count: total,
        getScrollElement: () => box.current,
        estimateSize: () => ROW_PX,
        // A quick turn of the wheel replaces all rows, so each further row costs time.
        overscan: 6,
        scrollToFn: elementScroll,
        observeElementRect,
        observeElementOffset,
        onChange: () => setVersion(version => version + 1),
      }),
    [box],
  )
  virtualizer.setOptions({ ...virtualizer.options, count: total })
  useEffect(() => (isVirtual ? virtualizer._didMount() : undefined), [virtualizer, isVirtual])
  useEffect(() => {
    if (isVirtual) virtualizer._willUpdate()
  })
  if (!isVirtual) return { start: 0, end: total, before: 0, after: 0 }
  const items = virtualizer.getVirtualItems()
  const first = items[0]
  const last = items.at(-1)
  if (first === undefined || last === undefined)
    return { start: 0, end: Math.min(total, 40), before: 0, after: 0 }
  return {
    start: first.index,
    end: last.index + 1,
    before: first.start,
    after: virtualizer.getTotalSize() - last.end,
  }
}
