// The icons, as inline SVG. They are decoration: a text or a label beside each one has the meaning.

import type { ComponentChildren } from 'preact'

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg
      width="16"
      height="16"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  )
}

export const LogoIcon = () => (
  <svg width="20" height="20" viewBox="0 0 16 16" aria-hidden="true">
    <rect width="16" height="16" rx="4" fill="var(--accent)" />
    <path d="M4 5h3v6H4zM9 5h3v6H9z" fill="var(--on-accent)" />
  </svg>
)
export const OverviewIcon = () => (
  <Icon>
    <path d="M2 13V9m4 4V5m4 8V7m4 6V3" />
  </Icon>
)
export const RoutesIcon = () => (
  <Icon>
    <path d="M2 4h5l3 8h4M11 10l3 2-3 2M10 4h4" />
  </Icon>
)
export const ServicesIcon = () => (
  <Icon>
    <path d="M2 3h12v4H2zM2 9h12v4H2zM5 5h.01M5 11h.01" />
  </Icon>
)
export const TelephonesIcon = () => (
  <Icon>
    <path d="M4 2h2l1 3-2 1c1 2 2 3 4 4l1-2 3 1v2c0 2-2 2-3 2-4-1-7-4-8-8 0-1 0-3 2-3z" />
  </Icon>
)
export const TrafficIcon = () => (
  <Icon>
    <path d="M2 8h3l2-5 3 10 2-5h2" />
  </Icon>
)
export const ChangesIcon = () => (
  <Icon>
    <path d="M3 8a5 5 0 1 0 2-4M3 2v3h3M8 5v3l2 2" />
  </Icon>
)
export const LimitsIcon = () => (
  <Icon>
    <path d="M2 12a6 6 0 1 1 12 0M8 12l3-4" />
  </Icon>
)
export const ClusterIcon = () => (
  <Icon>
    <path d="M8 3v4m0 0-4 5m4-5 4 5M6 3h4M2 13h4m4 0h4" />
  </Icon>
)
export const AccessIcon = () => (
  <Icon>
    <path d="M9 7a3 3 0 1 0-2 2l1 1h2v2h2v2h2v-2L9 7zM5 5h.01" />
  </Icon>
)
export const DoctorIcon = () => (
  <Icon>
    <path d="M6 2h4v4h4v4h-4v4H6v-4H2V6h4z" />
  </Icon>
)
export const CloseIcon = () => (
  <Icon>
    <path d="m4 4 8 8m0-8-8 8" />
  </Icon>
)
export const CopyIcon = () => (
  <Icon>
    <path d="M6 6h8v8H6zM4 10H2V2h8v2" />
  </Icon>
)
export const SearchIcon = () => (
  <Icon>
    <path d="M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zm4-1 3 3" />
  </Icon>
)
export const MenuIcon = () => (
  <Icon>
    <path d="M2 4h12M2 8h12M2 12h12" />
  </Icon>
)
export const ThemeIcon = () => (
  <Icon>
    <path d="M8 2a6 6 0 1 0 0 12zM8 2v12a6 6 0 0 0 0-12z" />
  </Icon>
)
export const ReferenceIcon = () => (
  <Icon>
    <path d="M8 4C6 3 4 3 2 3v9c2 0 4 0 6 1 2-1 4-1 6-1V3c-2 0-4 0-6 1zm0 0v9" />
  </Icon>
)
