//! The few system calls that concern the whole process.

use std::ffi::CString;
use std::io;

/// Keeps secrets in memory out of reach: no core dumps, and no debugger of the same user (S10.1).
pub fn harden() -> io::Result<()> {
    // SAFETY: plain system calls; the limit is a local that lives through the call.
    unsafe {
        if libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    set_limit(
        libc::RLIMIT_CORE,
        libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        },
    )
}

/// Raises the descriptor limit as far as this user may, and answers it.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a local that lives through the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    set_limit(libc::RLIMIT_NOFILE, limit)?;
    Ok(limit.rlim_cur)
}

fn set_limit(resource: libc::__rlimit_resource_t, limit: libc::rlimit) -> io::Result<()> {
    // SAFETY: the pointer is to a local that lives through the call.
    match unsafe { libc::setrlimit(resource, &limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Removes environment variables, so that a secret given there is not inherited or read from `/proc`.
///
/// Must be called while the process has one thread.
pub fn forget_environment(names: impl IntoIterator<Item = String>) {
    for name in names {
        wipe_value(&name);
        // SAFETY: the caller has started no second thread that could read the environment meanwhile.
        unsafe { std::env::remove_var(name) };
    }
}

/// Overwrites the value where the kernel put it: `/proc/PID/environ` shows that memory, whatever was removed since.
fn wipe_value(name: &str) {
    let Ok(name) = CString::new(name) else { return };
    // SAFETY: the name ends with NUL; nobody changes the environment meanwhile (see the caller).
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return;
    }
    // SAFETY: `getenv` answered a string that ends with NUL.
    let length = unsafe { libc::strlen(value) };
    // SAFETY: these bytes belong to the process's environment, which is writable and lives as long as the process.
    unsafe { std::ptr::write_bytes(value, 0, length) };
}

/// The CPUs this process may run on, ascending.
pub fn allowed_cpus() -> io::Result<Vec<usize>> {
    // SAFETY: an all-zero `cpu_set_t` is a valid empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a local of the size given.
    if unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: every index asked is below the set's size.
    Ok((0..libc::CPU_SETSIZE as usize)
        .filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) })
        .collect())
}
