//! An iterator over what a function returns, up to its first error.

/// Iterates over what `next` returns, until that is `None` or an error, which is the last item.
// It is called for every row.
#[inline(always)]
pub(super) fn until_error<T, E>(
    mut next: impl FnMut() -> Result<Option<T>, E>,
) -> impl Iterator<Item = Result<T, E>> {
    let mut has_failed = false;
    std::iter::from_fn(move || {
        if has_failed {
            return None;
        }
        let item = next();
        has_failed = item.is_err();
        item.transpose()
    })
}
