//! What one file says, stanza by stanza.
