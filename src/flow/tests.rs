//! The flows over their socket, as cores and browsers speak to them: cookies are kept by hand, time is moved.

mod challenges;
mod logouts;
mod sign_ins;
mod world;
