// The layout of a frame, its types and flags: the constants that encode.ts and decode.ts share.
// PROTOCOL.md, "Frames", is the specification; this file only implements it.
//
//   byte 0      1       2 … 4          5 … 8             9 …
//        type   flags   length (u24)   stream id (u32)   payload
//
// All integers are big-endian. A WebSocket message consists of one or more whole frames.

export const FRAME_HEADER_BYTES = 9

export const FRAME = {
  data: 0x00,
  open: 0x01,
  head: 0x02,
  trailers: 0x03,
  reset: 0x04,
  window: 0x05,
  ping: 0x06,
  pong: 0x07,
  control: 0x08,
  bye: 0x09,
} as const

/** A frame of an unknown type is skipped when this bit is set. Otherwise it ends the session. */
export const IGNORABLE_TYPE_BIT = 0x80

/** On DATA, OPEN and HEAD: the sender's half of the stream is complete with this frame. */
export const FLAG_END = 0x01
/** On HEAD: the time of the backend lies between the status and the length of the head block (P39). */
export const FLAG_TIMING = 0x02

/** OPEN payload: kind (u8), hops (u8), length of the head block (u24), head block, body bytes. */
export const OPEN_PREFIX_BYTES = 5
/** HEAD payload: status (u16), length of the head block (u24), head block, body bytes. */
export const HEAD_PREFIX_BYTES = 5
/** The time of the backend in a HEAD with FLAG_TIMING: microseconds (u32). */
export const BACKEND_TIME_BYTES = 4
/** RESET and BYE payload: reason code (u16), then detail in UTF-8, at most this many bytes. */
export const DETAIL_MAX_BYTES = 512
export const PING_BYTES = 8
/** Bytes that an opener sends at most before the acceptor has shown that it accepts the stream (P28). */
export const UNACCEPTED_BYTES = 65_536
export const WINDOW_BYTES = 4

/** Largest payload that the layout of a frame allows. The limit of a session is lower (hello.maxFrameBytes). */
export const FRAME_MAX_BYTES = 0xff_ffff
/** Largest slice of a body in one frame. Senders cut bodies into slices so that streams take turns. */
export const DATA_SLICE_BYTES = 65_536
/** Largest credit of a stream. */
export const CREDIT_MAX_BYTES = 0x7fff_ffff
