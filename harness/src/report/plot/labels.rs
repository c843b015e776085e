//! Places for the names of points: beside their point, on no other name and no other point.

/// Height of a name's line, in pixels, at the size that the canvas writes them in.
const HEIGHT: i32 = 14;

/// A rectangle in pixels: left, top, right, bottom.
type Rectangle = (i32, i32, i32, i32);

/// Width of a text in pixels, about: most letters of a sans-serif take a little more than half of their height.
pub fn width(text: &str) -> i32 {
    i32::try_from(text.chars().count()).unwrap_or(i32::MAX / 8).saturating_mul(67) / 10
}

fn meet(a: Rectangle, b: Rectangle) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

/// The upper left corner of each name, or nothing where there is no room for it. Earlier points have the first choice.
pub fn place(points: &[((i32, i32), &str)], within: Rectangle) -> Vec<Option<(i32, i32)>> {
    let marks: Vec<Rectangle> = points.iter().map(|((x, y), _)| (x - 5, y - 5, x + 5, y + 5)).collect();
    let mut taken: Vec<Rectangle> = Vec::new();
    let mut places = Vec::new();
    for (i, ((x, y), text)) in points.iter().enumerate() {
        let w = width(text);
        let corners = [
            (x + 8, y - 7),
            (x - 8 - w, y - 7),
            (x - w / 2, y - 8 - HEIGHT),
            (x - w / 2, y + 7),
            (x + 6, y - 6 - HEIGHT),
            (x + 6, y + 5),
            (x - 6 - w, y - 6 - HEIGHT),
            (x - 6 - w, y + 5),
        ];
        let rectangle = |(left, top): (i32, i32)| (left, top, left + w, top + HEIGHT);
        let free = |corner: &(i32, i32)| {
            let r = rectangle(*corner);
            let inside = r.0 >= within.0 && r.1 >= within.1 && r.2 <= within.2 && r.3 <= within.3;
            let on_a_mark = marks.iter().enumerate().any(|(j, mark)| j != i && meet(r, *mark));
            inside && !on_a_mark && !taken.iter().any(|t| meet(r, *t))
        };
        let found = corners.into_iter().find(free);
        taken.extend(found.map(rectangle));
        places.push(found);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_meet_and_what_has_no_room_has_none() {
        let points: Vec<_> = (0..40).map(|i| ((100 + 9 * (i % 6), 100 + 7 * (i / 6)), "kernel")).collect();
        let within = (0, 0, 400, 300);
        let placed: Vec<_> = place(&points, within).into_iter().flatten().map(|(l, t)| (l, t, l + width("kernel"), t + HEIGHT)).collect();
        assert!(!placed.is_empty() && placed.len() < 40);
        for (i, a) in placed.iter().enumerate() {
            assert!(a.0 >= 0 && a.2 <= 400 && placed[..i].iter().all(|b| !meet(*a, *b)), "{a:?}");
        }
        assert_eq!(place(&[((50, 50), "alone")], within), [Some((58, 43))]);
        assert_eq!(place(&[((50, 50), "alone")], (40, 40, 60, 60)), [None]);
    }
}
