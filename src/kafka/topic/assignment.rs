//! Which brokers have which partitions, as somebody says it.

/// The brokers of each partition, the one that is to lead it first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment(pub Vec<Vec<i32>>);

/// Reads `1:2,2:3`: a comma between partitions, a colon between the brokers of one, as Kafka's own scripts have it.
///
/// # Errors
/// A sentence with the form, or what is wrong with it.
pub(super) fn assignment(text: &str) -> Result<Assignment, String> {
    const FORM: &str = "write the brokers of each partition, as 1:2,2:3,3:1";
    let broker = |id: &str| match id.parse::<i32>() {
        Ok(id @ 0..) => Ok(id),
        _ => Err(format!("`{id}` is no broker's id; {FORM}")),
    };
    let partition = |text: &str| text.split(':').map(broker).collect::<Result<Vec<i32>, String>>();
    let all: Vec<Vec<i32>> = text.split(',').map(partition).collect::<Result<_, _>>()?;
    for (number, brokers) in all.iter().enumerate() {
        if let Some(twice) = brokers.iter().enumerate().find(|(at, id)| brokers.iter().take(*at).any(|b| b == *id)) {
            return Err(format!("partition {number} has broker {} twice; {FORM}", twice.1));
        }
        if all.first().is_some_and(|first| first.len() != brokers.len()) {
            return Err(format!("partition {number} has another number of brokers than partition 0; {FORM}"));
        }
    }
    Ok(Assignment(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments() {
        assert_eq!(assignment("1:2,2:3"), Ok(Assignment(vec![vec![1, 2], vec![2, 3]])));
        assert_eq!(assignment("0"), Ok(Assignment(vec![vec![0]])));
        for bad in ["", "a", "1:", "1:1", "1:2,3", "-1", "1,,2", "1;2", "99999999999"] {
            assert!(assignment(bad).is_err(), "{bad}");
        }
    }
}
