// The links to the pages.

import { useLocation } from 'preact-iso'
import {
  AccessIcon,
  ChangesIcon,
  ClusterIcon,
  DoctorIcon,
  LimitsIcon,
  LogoIcon,
  OverviewIcon,
  ReferenceIcon,
  RoutesIcon,
  ServicesIcon,
  TelephonesIcon,
  TrafficIcon,
} from '../parts/icons.tsx'
import { may } from '../session/session.ts'
import { hrefOf } from './address.ts'
import { DoctorCount } from './doctor-count.tsx'

export const PAGES = [
  ['/', 'Overview', OverviewIcon],
  ['/routes', 'Routes', RoutesIcon],
  ['/services', 'Services', ServicesIcon],
  ['/telephones', 'Telephones', TelephonesIcon],
  ['/traffic', 'Traffic', TrafficIcon],
  ['/changes', 'Changes', ChangesIcon],
  ['/limits', 'Limits', LimitsIcon],
  ['/cluster', 'Cluster', ClusterIcon],
  ['/access', 'Access', AccessIcon],
  ['/doctor', 'Doctor', DoctorIcon],
] as const

export function Navigation({ isOpen, onChoose }: { isOpen: boolean; onChoose: () => void }) {
  const { path } = useLocation()
  return (
    <nav class="nav" data-open={isOpen} aria-label="Pages">
      <a class="brand" href={hrefOf('/')} onClick={onChoose}>
        <LogoIcon /> Plugboard
      </a>
      {PAGES.map(([to, name, Icon]) => {
        const href = hrefOf(to)
        const isCurrent =
          to === '/'
            ? `${path}/`.startsWith(href) && path.length <= href.length
            : `${path}/`.startsWith(`${href}/`)
        return (
          <a
            key={to}
            class="link"
            href={href}
            aria-current={isCurrent ? 'page' : undefined}
            onClick={onChoose}
          >
            <Icon /> {name}
            {to === '/doctor' && may('status:read') && <DoctorCount />}
          </a>
        )
      })}
      <a class="link soft" href="/reference">
        <ReferenceIcon /> API reference
      </a>
    </nav>
  )
}
