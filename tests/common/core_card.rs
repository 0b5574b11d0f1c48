//! The stand-in for CoreCARD, running beside the test.

use std::collections::BTreeMap;

use cardcancel::stand_in::{self, Order, OrderState, Settings, StandIn, Tally};
use tokio::runtime::Runtime;

/// The stand-in for CoreCARD, running beside the test.
pub struct CoreCard {
    runtime: Runtime,
    stand_in: StandIn,
}

impl CoreCard {
    /// One that is perfect and instantaneous.
    pub fn perfect() -> CoreCard {
        CoreCard::that(Settings::default())
    }

    pub fn that(settings: Settings) -> CoreCard {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let stand_in = runtime.block_on(stand_in::start(settings)).unwrap();
        CoreCard { runtime, stand_in }
    }

    pub fn url(&self) -> String {
        self.stand_in.url()
    }

    /// How many requests it has had.
    pub fn requests(&self) -> u64 {
        self.stand_in.tally().requests
    }

    /// What became of the orders it was asked for.
    pub fn orders(&self) -> BTreeMap<Order, OrderState> {
        self.stand_in.orders()
    }

    /// How often it was asked for each order, by admin number.
    pub fn asked(&self) -> BTreeMap<i64, u32> {
        self.orders().into_iter().map(|(order, state)| (order.admin_number, state.asked)).collect()
    }

    pub fn stop(self) -> Tally {
        self.runtime.block_on(self.stand_in.stop())
    }
}
