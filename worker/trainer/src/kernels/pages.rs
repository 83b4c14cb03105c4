//! Memory in pages of 2 MB, where the system has them: with small pages, rows that are read at random
//! cost a walk through the page tables each.

/// An empty vector with this capacity.
pub(crate) fn vec_in_huge_pages<T>(capacity: usize) -> Vec<T> {
    let vec: Vec<T> = Vec::with_capacity(capacity);
    #[cfg(target_os = "linux")]
    ask_for_huge_pages(vec.as_ptr_range().start.addr(), capacity * size_of::<T>());
    vec
}

/// A wish: the system may lack such pages, and every result is the same without them.
#[cfg(target_os = "linux")]
fn ask_for_huge_pages(address: usize, n_bytes: usize) {
    const PAGE: usize = 2 << 20;
    use rustix::mm::{Advice, madvise};
    let start = address.next_multiple_of(PAGE);
    let end = (address + n_bytes) / PAGE * PAGE;
    if start < end {
        let pages = std::ptr::without_provenance_mut(start);
        // SAFETY: this advice changes neither content nor validity of the pages.
        let _refused = unsafe { madvise(pages, end - start, Advice::LinuxHugepage) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_capacity_can_be_filled() {
        for n in [0, 1, 1000, 5 << 20] {
            let mut vec = vec_in_huge_pages(n);
            vec.extend((0..n).map(|i| i as u8));
            assert_eq!(vec.capacity(), n);
            assert!(vec.iter().enumerate().all(|(i, &x)| x == i as u8));
        }
    }
}
