//! What the host's `void *` stands for: a token, never an address.
//!
//! Serves the callbacks. Invariants: NULL, a token whose instance has ended, and one of another kind lead to nothing;
//! what a callback has borrowed lives for as long as it holds it, whatever ends meanwhile.

use std::{
    any::Any,
    ffi::c_void,
    ptr,
    sync::{Arc, PoisonError, RwLock},
};

type Held = Arc<dyn Any + Send + Sync>;

/// A place for one instance at a time. Its generation counts those that it has had.
struct Slot {
    generation: u32,
    held: Option<Held>,
}

static SLOTS: RwLock<Vec<Slot>> = RwLock::new(Vec::new());

/// Keeps `it` until [`end`]; returns its token.
pub(super) fn keep<T: Any + Send + Sync>(it: Arc<T>) -> *mut c_void {
    let mut slots = SLOTS.write().unwrap_or_else(PoisonError::into_inner);
    let free = slots.iter().position(|slot| slot.held.is_none());
    let at = free.unwrap_or_else(|| {
        slots.push(Slot { generation: 0, held: None });
        slots.len() - 1
    });
    let slot = &mut slots[at];
    slot.generation = slot.generation.wrapping_add(1);
    slot.held = Some(it);
    ptr::without_provenance_mut((at + 1) << 32 | slot.generation as usize)
}

/// What `token` stands for.
pub(super) fn borrow<T: Any + Send + Sync>(token: *mut c_void) -> Option<Arc<T>> {
    let slots = SLOTS.read().unwrap_or_else(PoisonError::into_inner);
    let (at, generation) = place(token)?;
    let slot = slots.get(at).filter(|slot| slot.generation == generation)?;
    Arc::clone(slot.held.as_ref()?).downcast().ok()
}

/// Ends `token`; returns what it stood for.
pub(super) fn end<T: Any + Send + Sync>(token: *mut c_void) -> Option<Arc<T>> {
    let mut slots = SLOTS.write().unwrap_or_else(PoisonError::into_inner);
    let (at, generation) = place(token)?;
    let slot = slots.get_mut(at).filter(|slot| slot.generation == generation)?;
    slot.held.as_ref()?.downcast_ref::<T>()?;
    slot.held.take()?.downcast().ok()
}

fn place(token: *mut c_void) -> Option<(usize, u32)> {
    let token = token.addr();
    let generation = u32::try_from(token & 0xffff_ffff).ok()?;
    Some(((token >> 32).checked_sub(1)?, generation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_live_token_of_the_right_kind_leads_to_anything() {
        let token = keep(Arc::new(7_i32));
        assert_eq!(borrow::<i32>(token).as_deref(), Some(&7));
        assert!(borrow::<u32>(token).is_none() && end::<u32>(token).is_none(), "another kind");
        assert!(borrow::<i32>(ptr::null_mut()).is_none() && end::<i32>(ptr::null_mut()).is_none());
        assert!(borrow::<i32>(ptr::without_provenance_mut(0x7fff_1234_5678)).is_none(), "an address");
        let borrowed = borrow::<i32>(token);
        assert_eq!(end::<i32>(token).as_deref(), Some(&7));
        assert_eq!(borrowed.as_deref(), Some(&7), "it lives while it is used");
        assert!(borrow::<i32>(token).is_none() && end::<i32>(token).is_none(), "it has ended");
        let next = keep(Arc::new(8_i32));
        assert!(next != token && borrow::<i32>(token).is_none(), "its place has another now");
        end::<i32>(next);
    }
}
