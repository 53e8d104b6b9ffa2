//! The scripts: each is one atomic step, sent by its digest; whole where the server has forgotten it.

use std::sync::LazyLock;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script};

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {
        $(pub static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!(include_str!("account.lua"), include_str!($file))));)*

        /// Has a server know all of them.
        pub async fn load_all(connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
            $($name.load_async(connection).await?;)*
            Ok(())
        }
    };
}

scripts! {
    RESERVE = "reserve.lua";
    SETTLE = "settle.lua";
    LOOK = "look.lua";
    COLLECT = "collect.lua";
    GRANT = "grant.lua";
    BEAT = "beat.lua";
}
