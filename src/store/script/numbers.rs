//! Answers that are numbers alone, as one text: `struct.pack('<ddd', now, …)`. A list of them costs Redis six times as much.

use deadpool_redis::redis::Value;

/// A script's answer as a list; a text stands for `word`, the first that its header has, and numbers.
pub fn as_list(word: &str, answer: Value) -> Value {
    let Value::BulkString(packed) = answer else { return answer };
    let (numbers, left) = packed.as_chunks::<8>();
    if !left.is_empty() {
        return Value::BulkString(packed); // no answer of ours
    }
    let mut list = Vec::with_capacity(1 + numbers.len());
    list.push(Value::BulkString(word.as_bytes().to_vec()));
    // Whole numbers below 2^53.
    list.extend(numbers.iter().map(|n| Value::Int(f64::from_le_bytes(*n) as i64)));
    Value::Array(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_for_the_first_word_and_numbers() {
        let packed = [1_795_363_677_564_688.0_f64, 0.0].map(f64::to_le_bytes).concat();
        let list = Value::Array(vec![Value::BulkString(b"posted".to_vec()), Value::Int(1_795_363_677_564_688), Value::Int(0)]);
        assert_eq!(as_list("posted", Value::BulkString(packed)), list);
        assert_eq!(as_list("posted", list.clone()), list);
    }

    #[test]
    fn another_text_is_no_answer() {
        let text = Value::BulkString(b"posted".to_vec());
        assert_eq!(as_list("posted", text.clone()), text);
    }
}
