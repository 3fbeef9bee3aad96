//! What comes in, on its way to lapin: byte for byte as it was read, but for header frames that lapin would not take.

use std::sync::Arc;

use bytes::{Buf, BytesMut};

use super::large::Large;
use super::meter::Meter;
use super::scan::{AROUND, Content, FrameRefusal, HEAD, LARGEST_HEADER, Scanner};

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InletStep {
    /// So many bytes are in lapin's buffer.
    Gave(usize),
    /// Read into lapin's buffer, and call [`Inlet::came`].
    Read,
    /// Read so much at most, and call [`Inlet::hold`].
    Hold(usize),
}

/// The way in.
pub(crate) struct Inlet {
    scanner: Scanner,
    large: Arc<Large>,
    meter: Arc<Meter>,
    /// How far messages had come when the meter was told.
    told: Content,
    /// A frame that is put together, as far as it is here, and its size as far as that is known; 0 when there is none.
    held: Vec<u8>,
    want: usize,
    /// Read, and not looked at.
    rest: BytesMut,
    /// Looked at: what lapin gets next.
    out: BytesMut,
    /// What comes behind what lapin may have.
    refusal: Option<FrameRefusal>,
    /// A frame was kept.
    pause: bool,
}

impl Inlet {
    /// A way in that keeps large headers apart, and tells the meter of them.
    pub(crate) fn new(scanner: Scanner, large: Arc<Large>, meter: Arc<Meter>) -> Inlet {
        let (rest, out) = (BytesMut::new(), BytesMut::new());
        let told = Content::default();
        Inlet { scanner, large, meter, told, held: Vec::new(), want: 0, rest, out, refusal: None, pause: false }
    }

    /// True once behind a frame that was kept: lapin reads on while there is room in its buffer, which these frames do not
    /// take, and works off what it has only when there is nothing for now.
    pub(crate) fn pauses(&mut self) -> bool {
        self.out.is_empty() && std::mem::take(&mut self.pause)
    }

    /// Gives lapin what is here.
    ///
    /// # Errors
    /// Why lapin gets no more.
    pub(crate) fn step(&mut self, buffer: &mut [u8]) -> Result<InletStep, FrameRefusal> {
        loop {
            if !self.out.is_empty() {
                return Ok(InletStep::Gave(move_into(buffer, &mut self.out)));
            }
            if let Some(refusal) = self.refusal {
                return Err(refusal);
            }
            let missing = self.want - self.held.len();
            match (missing, self.rest.is_empty()) {
                (0, true) => return Ok(InletStep::Read),
                (missing, true) => return Ok(InletStep::Hold(missing)),
                (0, false) => {
                    let taken = move_into(buffer, &mut self.rest);
                    match self.came(buffer.get(..taken).unwrap_or_default()) {
                        0 => {}
                        visible => return Ok(InletStep::Gave(visible)),
                    }
                }
                (missing, false) => {
                    let part = self.rest.split_to(missing.min(self.rest.len()));
                    self.hold(&part);
                }
            }
        }
    }

    /// Looks at what was read into lapin's buffer, and says how much of it is for lapin.
    pub(crate) fn came(&mut self, bytes: &[u8]) -> usize {
        let looked = self.scanner.look(bytes);
        self.tell();
        match looked {
            Ok(visible) => {
                if visible < bytes.len() {
                    let mut rest = BytesMut::from(bytes.get(visible..).unwrap_or_default());
                    rest.extend_from_slice(&self.rest);
                    (self.rest, self.want) = (rest, HEAD);
                }
                visible
            }
            Err((refusal, before)) => {
                self.refusal = Some(refusal);
                before
            }
        }
    }

    /// Adds to the frame that is put together; none is the end of the stream.
    pub(crate) fn hold(&mut self, part: &[u8]) {
        self.held.extend_from_slice(part);
        if part.is_empty() {
            self.release();
        } else if self.held.len() == self.want
            && let Err(refusal) = self.complete()
        {
            self.refusal = Some(refusal);
        }
        self.tell();
    }

    /// Tells the meter of parts of messages. What the broker says besides, as its answers, is none.
    fn tell(&mut self) {
        let content = self.scanner.content();
        if content != self.told || !self.held.is_empty() {
            self.meter.heard(content.is_amid());
        }
        self.told = content;
    }

    /// What is held goes to lapin as it is.
    fn release(&mut self) {
        self.out.extend_from_slice(&self.held);
        (self.held, self.want) = (Vec::new(), 0);
    }

    fn complete(&mut self) -> Result<(), FrameRefusal> {
        if let Ok(head) = <&[u8; HEAD]>::try_from(self.held.as_slice()) {
            match self.scanner.oversize(head) {
                Some(size) if size - AROUND > LARGEST_HEADER => return Err(FrameRefusal::Headers(size - AROUND)),
                Some(size) => {
                    self.want = size;
                    self.held.reserve_exact(size - HEAD);
                }
                None => {
                    self.scanner.enter(head);
                    self.release();
                }
            }
            return Ok(());
        }
        self.want = 0;
        let frame = std::mem::take(&mut self.held);
        let size = frame.len();
        self.scanner.header(frame.get(HEAD..).unwrap_or_default());
        self.out.extend_from_slice(&self.large.keep(frame)?);
        self.meter.kept(size);
        self.pause = true;
        Ok(())
    }
}

/// Moves what there is room for, and says how much that was.
fn move_into(buffer: &mut [u8], from: &mut BytesMut) -> usize {
    let count = buffer.len().min(from.len());
    for (slot, byte) in buffer.iter_mut().zip(from.iter()) {
        *slot = *byte;
    }
    from.advance(count);
    if from.is_empty() {
        // What came with a large frame is not kept.
        *from = BytesMut::new();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::message::encode;
    use super::*;
    use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, parse_frame};
    use lapin::BasicProperties;
    use lapin::types::{AMQPValue, FieldTable};

    const FRAME_MAX: u32 = 4096;

    fn header(size: usize) -> Vec<u8> {
        let mut table = FieldTable::default();
        table.insert("h".into(), AMQPValue::LongString("x".repeat(size).into()));
        let properties = BasicProperties::default().with_headers(table).with_priority(3);
        encode(&AMQPFrame::Header(1, AMQPContentHeader { class_id: 60, body_size: 5, properties }))
    }

    fn inlet() -> Inlet {
        Inlet::new(Scanner::new(FRAME_MAX, Arc::default()), Arc::default(), Arc::default())
    }

    /// What lapin gets of `all`, read in pieces of `read` bytes into buffers of `room`.
    fn through(inlet: &mut Inlet, all: &[u8], read: usize, room: usize) -> Result<Vec<u8>, FrameRefusal> {
        let (mut at, mut got) = (0, Vec::new());
        loop {
            let mut buffer = vec![0; room];
            let next = |at: &mut usize, most: usize| {
                let part = all.get(*at..).unwrap_or_default();
                let part = part.get(..read.min(most)).unwrap_or(part);
                *at += part.len();
                part
            };
            match inlet.step(&mut buffer)? {
                InletStep::Gave(count) => got.extend_from_slice(&buffer[..count]),
                InletStep::Hold(_) | InletStep::Read if at == all.len() => return Ok(got),
                InletStep::Hold(most) => inlet.hold(next(&mut at, most)),
                InletStep::Read => {
                    let part = next(&mut at, room);
                    let visible = inlet.came(part);
                    got.extend_from_slice(&part[..visible]);
                }
            }
        }
    }

    #[test]
    fn large_headers_are_put_back_however_they_are_cut() {
        let body = encode(&AMQPFrame::Body(1, b"hello".to_vec()));
        let frames = [header(10), body.clone(), header(5000), body.clone(), header(4100), body.clone(), header(20)];
        let all = frames.concat();
        for (read, room) in [(1, 1), (1, 9), (3, 2), (7, 64), (100, 100), (4096, 10), (100_000, 100_000)] {
            let mut inlet = inlet();
            let got = through(&mut inlet, &all, read, room).expect("passes");
            let mut rest = got.as_slice();
            for frame in &frames {
                let (behind, parsed) = parse_frame(rest).expect("a frame");
                assert!(rest.len() - behind.len() <= FRAME_MAX as usize);
                rest = behind;
                let AMQPFrame::Header(channel, mut got) = parsed else { continue };
                let is_large = frame.len() > FRAME_MAX as usize;
                assert_eq!(inlet.large.restore(&mut got.properties), if is_large { frame.len() } else { 0 });

                assert_eq!(&encode(&AMQPFrame::Header(channel, got)), frame, "{read} {room}");
            }
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn what_is_too_large_comes_behind_what_stood_before_it() {
        let (good, huge) = (header(10), header(LARGEST_HEADER));
        let size = huge.len() - AROUND;
        for (bad, refusal) in [
            (huge, FrameRefusal::Headers(size)),
            (encode(&AMQPFrame::Body(1, vec![0; 4089])), FrameRefusal::Frame(4097)),
        ] {
            for (read, room) in [(1, 1), (100_000, 100_000)] {
                let mut inlet = inlet();
                assert_eq!(through(&mut inlet, &good, read, room), Ok(good.clone()));
                assert_eq!(through(&mut inlet, &bad, read, room), Err(refusal), "{read}");
            }
        }
    }

    #[test]
    fn a_stream_that_ends_in_a_head_is_not_kept_back() {
        let mut inlet = inlet();
        assert_eq!(through(&mut inlet, &[2, 0, 1], 3, 10), Ok(Vec::new()));
        inlet.hold(&[]);
        assert_eq!(through(&mut inlet, &[], 3, 10), Ok(vec![2, 0, 1]));
    }
}
