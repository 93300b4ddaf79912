//! The terminal that a password is typed at.

use std::mem::MaybeUninit;

/// The terminal on standard input shows nothing of what is typed, until this is dropped.
pub struct Quiet {
    before: libc::termios,
}

impl Quiet {
    /// `None`: standard input is no terminal, or cannot be told.
    pub fn terminal() -> Option<Self> {
        let mut settings = MaybeUninit::<libc::termios>::uninit();
        // SAFETY: the pointer is to a local that lives through the call.
        if unsafe { libc::tcgetattr(libc::STDIN_FILENO, settings.as_mut_ptr()) } != 0 {
            return None;
        }
        // SAFETY: the call has filled it.
        let before = unsafe { settings.assume_init() };
        let mut quiet = before;
        quiet.c_lflag &= !libc::ECHO;
        // SAFETY: the pointer is to a local that lives through the call.
        let set = unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSAFLUSH, &quiet) };
        (set == 0).then_some(Quiet { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // SAFETY: the pointer is to a field that lives through the call.
        unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSAFLUSH, &self.before) };
    }
}
