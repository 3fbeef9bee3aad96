//! No heartbeats: lapin takes the interval of the broker where it is asked for none, and so hears of none from the broker
//! either. What it answers to that turns them off on both sides (AMQP 0-9-1, section 1.4.2.6).

/// The head of the only frame that is changed: `connection.tune` on channel 0, 12 bytes long.
const TUNE: [u8; 11] = [1, 0, 0, 0, 0, 0, 12, 0, 10, 0, 30];

/// The limits of channels and frames stand before the interval.
const INTERVAL: std::ops::Range<usize> = TUNE.len() + 6..TUNE.len() + 8;

/// Looks for the interval in what comes in, however it is cut into reads.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    /// How much of the frame has come.
    at: usize,
}

impl Quiet {
    /// Makes the interval none.
    pub(crate) fn pass(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.at >= INTERVAL.end {
                return;
            }
            match TUNE.get(self.at) {
                Some(expected) if byte == expected => self.at += 1,
                // Its first byte comes nowhere else in it.
                Some(_) => self.at = usize::from(*byte == TUNE[0]),
                None => {
                    if INTERVAL.contains(&self.at) {
                        *byte = 0;
                    }
                    self.at += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_interval_is_changed() {
        let start = [&[1, 0, 0, 0, 0, 0, 9, 0, 10, 0, 10][..], &[1; 5], &[0xce]].concat();
        let tune = |interval: [u8; 2]| [&TUNE[..], &[7, 255, 0, 2, 0, 0], &interval, &[0xce]].concat();
        let behind = tune([0, 60]);
        let all = [&start[..], &tune([0, 60]), &behind].concat();
        let expected = [&start[..], &tune([0, 0]), &behind].concat();
        for cut in 0..all.len() {
            let (mut quiet, mut bytes) = (Quiet::default(), all.clone());
            let (one, two) = bytes.split_at_mut(cut);
            quiet.pass(one);
            quiet.pass(two);
            assert_eq!(bytes, expected, "cut at {cut}");
        }
    }
}
