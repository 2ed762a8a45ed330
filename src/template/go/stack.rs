//! How much of the thread's stack a template may use: nesting ends in an error, never in a crash.

/// Room for parser and evaluator. Threads have 2 MiB at least, the main thread 8 MiB.
const ROOM: usize = 1 << 20;

/// What is kept back for the code that runs when the room is used up (printing, functions).
const RESERVE: usize = 128 << 10;

/// Remembers where the stack stood at the start.
#[derive(Clone, Copy)]
pub struct Stack {
    base: usize,
}

impl Stack {
    /// Takes the present position as the start.
    #[inline(never)]
    pub fn here() -> Self {
        Self { base: position() }
    }

    /// Whether there is room for another level.
    pub fn has_room(self) -> bool {
        self.used() < ROOM - RESERVE
    }

    /// Whether there is room to finish what the last level does.
    pub fn has_reserve(self) -> bool {
        self.used() < ROOM
    }

    fn used(self) -> usize {
        self.base.abs_diff(position())
    }
}

#[inline(never)]
fn position() -> usize {
    let marker = 0u8;
    std::ptr::from_ref(std::hint::black_box(&marker)).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dive(stack: Stack, depth: u32) -> u32 {
        let ballast = std::hint::black_box([0u8; 256]);
        if !stack.has_room() {
            return depth;
        }
        dive(stack, depth + 1) + u32::from(ballast[0])
    }

    #[test]
    fn endless_recursion_is_noticed_in_time() {
        let depth = dive(Stack::here(), 0);
        assert!((500..100_000).contains(&depth), "{depth}");
    }
}
