//! Joining what is aboard with what is known.
