// Updating a list in place.

/** Makes the children of `list` match `items`; existing children are moved and updated, not recreated. */
export function reconcileChildren(list, items, { key, create, update }) {
  const existing = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let next = list.firstElementChild;
  for (const item of items) {
    let child = existing.get(key(item));
    if (child) existing.delete(key(item));
    else {
      child = create(item);
      child.dataset.key = key(item);
    }
    update(child, item);
    if (child === next) next = next.nextElementSibling;
    else list.insertBefore(child, next);
  }
  for (const removed of existing.values()) removed.remove();
}
