//! The one guarded HTTP client: limits, retry, resume, redirects, certificates. Nothing else in Plimsoll
//! opens a socket outwards.
//!
//! Synchronous on purpose: layers and feeds are streamed through `Read` on threads of their own.
